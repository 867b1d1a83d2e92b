package httporigin

import (
	"errors"
	"strings"
	"testing"

	"github.com/cachemesh/cachemesh/loader"
)

func TestKeysAreEscapedWhereTheyGo(t *testing.T) {
	for _, tc := range []struct {
		template    string
		keepSlashes bool
		key, want   string
	}{
		{"http://h/{key}", false, "a", "http://h/a"},
		{"http://h/{key}", false, "a/b c?d#e%f", "http://h/a%2Fb%20c%3Fd%23e%25f"},
		{"http://h/{key}", true, "a/b c?d#e%2F", "http://h/a/b%20c%3Fd%23e%252F"},
		{"http://h/{key}", false, "\x00\xff\n", "http://h/%00%FF%0A"},
		{"http://h/{key}", false, "{key}", "http://h/%7Bkey%7D"},
		{"http://h/x?id={key}&v=1", false, "a&b=c/d +\xff", "http://h/x?id=a%26b%3Dc%2Fd+%2B%FF&v=1"},
		{"http://h/x?id={key}", true, "../a/b", "http://h/x?id=..%2Fa%2Fb"},
		{"http://h?{key}", false, "a", "http://h?a"},
		{"http://h/{key}/{key}.json?of={key}", false, "a b", "http://h/a%20b/a%20b.json?of=a+b"},
		{"https://u:p@h:8443/{key}", false, "@evil.example", "https://u:p@h:8443/@evil.example"},
		{"http://h/x{key}", false, "..", "http://h/x.."},
	} {
		tmpl, err := parse(tc.template, tc.keepSlashes)
		if err != nil {
			t.Errorf("%s: %v", tc.template, err)
			continue
		}
		if got, err := tmpl.url(tc.key); err != nil || got != tc.want {
			t.Errorf("%s, %q: got %s, %v, want %s", tc.template, tc.key, got, err, tc.want)
		}
	}
}

func TestAKeyCannotLeaveItsPlaceInThePath(t *testing.T) {
	for template, keys := range map[string][]string{
		"http://h/public/{key}":    {"", ".", "..", "../admin", "a/../../admin", "a/./b", `..\admin`, "a/..", "/.."},
		"http://h/public/.{key}":   {".", "./x"},
		"http://h/{key}./x":        {"."},
		"http://h/public/{key}?a=": {".."},
	} {
		for _, keepSlashes := range []bool{false, true} {
			tmpl, err := parse(template, keepSlashes)
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range keys {
				got, err := tmpl.url(key)
				var bad *KeyError
				if got != "" || !errors.As(err, &bad) || bad.Key != key || !errors.Is(err, loader.ErrNotFound) {
					t.Errorf("%s, %q: %q, %v", template, key, got, err)
				}
			}
		}
	}
}

func TestNewRefusesABadTemplateAndSaysWhy(t *testing.T) {
	for template, want := range map[string]string{
		"":                          "is empty",
		"http://h/":                 "needs {key}",
		"http://h/{Key}":            "needs {key}",
		"{key}":                     "scheme must be http or https",
		"h/{key}":                   "scheme must be http or https",
		"ftp://h/{key}":             "scheme must be http or https",
		"file:///{key}":             "scheme must be http or https",
		"http:///{key}":             "needs a host",
		"http:h/{key}":              "needs a host",
		"http://:80/{key}":          "needs a host",
		"http://h:99999/{key}":      "port must be 1 to 65535",
		"http://h:0/{key}":          "port must be 1 to 65535",
		"http://{key}/":             "must not choose the host",
		"http://{key}":              "must not choose the host",
		"http://{key}.h/{key}":      "must not choose the host",
		"http://{key}@h/{key}":      "must not choose the host",
		"http://h/#{key}":           "leave out what begins with #",
		"http://h/{key}/{id}":       "no braces",
		"http://h/{{key}}":          "no braces",
		"http://h/../{key}":         `must not have "." or ".."`,
		"http://h/%2e%2E/{key}":     `must not have "." or ".."`,
		"http://h/a b/{key}":        "white space",
		"http://h/?q=a b&k={key}":   "white space",
		"http://h/%zz/{key}":        "invalid URL escape",
		"http://u:secret@h:x/{key}": "invalid port",
		"http://u:secret@h/":        "needs {key}",
	} {
		o, err := New(template, Options{})
		if o != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want one about %q", template, err, want)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error tells the password: %v", template, err)
		}
	}
	if _, err := New("http://h/{key}", Options{MaxBytes: -1}); err == nil || !strings.Contains(err.Error(), "MaxBytes is -1: it must be positive") {
		t.Errorf("MaxBytes: %v", err)
	}
}
