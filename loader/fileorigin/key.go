package fileorigin

import (
	"os"
	"strings"
)

// check returns a *KeyError if the key is not a slash path below the directory.
// os.Root would not let it escape either; this says what is wrong with the key,
// and sees to it that no two keys name the same file.
func check(key string) error {
	if rule := broken(key); rule != "" {
		return &KeyError{Key: key, Rule: rule}
	}
	return nil
}

// broken returns the rule that the key breaks, or "".
func broken(key string) string {
	switch {
	case key == "":
		return "a key must not be empty"
	case strings.HasPrefix(key, "/"):
		return "a key must be relative to the directory: no leading slash"
	case strings.IndexByte(key, 0) >= 0:
		return "a key must not contain a NUL byte"
	case os.PathSeparator != '/' && strings.ContainsRune(key, os.PathSeparator):
		return "a key must separate its elements with slashes"
	}
	for element := range strings.SplitSeq(key, "/") {
		switch element {
		case "":
			return "a key must not have empty elements: no double and no trailing slash"
		case ".", "..":
			return `a key must not have "." or ".." as an element`
		}
	}
	return ""
}
