package httporigin

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// placeholder stands for the key in a template.
const placeholder = "{key}"

// template makes URLs of keys.
type template struct {
	path  []string // the URL up to the "?", split at the placeholders
	query []string // from the "?" on, likewise; nil without a query
	// keepSlashes leaves the slashes of a key as they are in the path.
	keepSlashes bool
}

// parse returns the template, or an error that says what is wrong with the text.
func parse(text string, keepSlashes bool) (*template, error) {
	bad := func(rule string) (*template, error) {
		return nil, fmt.Errorf("httporigin: template %q: %s", redacted(text), rule)
	}
	if text == "" {
		return nil, errors.New("httporigin: the template is empty: it should be a URL such as https://host/" + placeholder)
	}
	if !strings.Contains(text, placeholder) {
		return bad("it needs " + placeholder + " where the key goes")
	}
	if strings.ContainsAny(text, " \t\r\n") {
		return bad("it may not contain white space: write %20 for a space")
	}
	if strings.Contains(text, "#") {
		return bad("a fragment is never sent: leave out what begins with #")
	}
	u, err := url.Parse(strings.ReplaceAll(text, placeholder, "k"))
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // the outer error repeats the URL, password and all
		}
		return bad(err.Error())
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return bad("its scheme must be http or https")
	}
	if u.Hostname() == "" {
		return bad("it needs a host")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return bad("its port must be 1 to 65535")
		}
	}
	path, query, hasQuery := strings.Cut(text, "?")
	_, rest, _ := strings.Cut(path, "://")
	if host, _, _ := strings.Cut(rest, "/"); strings.Contains(host, placeholder) {
		return bad(placeholder + " must be in the path or the query: a key must not choose the host")
	}
	if rest := strings.ReplaceAll(text, placeholder, ""); strings.ContainsAny(rest, "{}") {
		return bad("it may have no braces but those of " + placeholder)
	}
	if dotted(u.Path) {
		return bad(`its path must not have "." or ".." as an element`)
	}
	t := &template{path: strings.Split(path, placeholder), keepSlashes: keepSlashes}
	if hasQuery {
		t.query = strings.Split("?"+query, placeholder)
	}
	return t, nil
}

// url returns the URL of the key, or a *KeyError.
func (t *template) url(key string) (string, error) {
	if key == "" {
		return "", &KeyError{Key: key, Rule: "a key must not be empty"}
	}
	if len(t.path) > 1 && dotted(strings.Join(t.path, key)) {
		// Escaping does not help: servers take the path apart after unescaping it.
		return "", &KeyError{Key: key, Rule: `a key must not make "." or ".." an element of the path`}
	}
	inPath := url.PathEscape(key)
	if t.keepSlashes {
		inPath = strings.ReplaceAll(inPath, "%2F", "/")
	}
	return strings.Join(t.path, inPath) + strings.Join(t.query, url.QueryEscape(key)), nil
}

// dotted reports whether a path has "." or ".." as an element. Backslashes count
// as slashes, as they do for some servers.
func dotted(path string) bool {
	for element := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		if element == "." || element == ".." {
			return true
		}
	}
	return false
}

// redacted returns a URL without user and password, also when it does not parse.
func redacted(text string) string {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = "", text
	} else {
		scheme += "://"
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
		rest = rest[at+1:]
	}
	return scheme + rest
}
