package httporigin

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// expired is a TTL that is over at once.
const expired time.Duration = -1

// maxAgeSeconds is the largest age that is told apart (RFC 9111, 1.2.2).
const maxAgeSeconds = 1 << 31

// lifetime says what the header of an answer allows a shared cache: how long to
// keep the value (0: nothing is said), and whether to keep it at all (RFC 9111).
func lifetime(h http.Header) (ttl time.Duration, noStore bool) {
	d := directives(h)
	// What is private to one user is not for a cache that many share, unless
	// the directive names the fields that it means.
	private, isPrivate := d["private"]
	if _, found := d["no-store"]; found || isPrivate && private == "" {
		return 0, true
	}
	if fields, found := d["no-cache"]; found && fields == "" {
		return expired, false
	}
	age, found := d["s-maxage"] // for shared caches, so before max-age
	if !found {
		age, found = d["max-age"]
	}
	if !found {
		return 0, false
	}
	left, valid := seconds(age)
	if !valid {
		return expired, false
	}
	if spent, valid := seconds(h.Get("Age")); valid {
		left -= spent
	}
	if left <= 0 {
		return expired, false
	}
	return time.Duration(left) * time.Second, false
}

// directives returns the Cache-Control directives, names in lower case. Of
// several of a name the first counts.
func directives(h http.Header) map[string]string {
	d := make(map[string]string)
	rest := strings.Join(h.Values("Cache-Control"), ",")
	for rest != "" {
		var one string
		one, rest = cutDirective(rest)
		name, value, _ := strings.Cut(one, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if _, found := d[name]; !found && name != "" {
			d[name] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return d
}

// cutDirective cuts at the first comma that is not in quotes.
func cutDirective(s string) (one, rest string) {
	quoted := false
	for i := range len(s) {
		switch s[i] {
		case '"':
			quoted = !quoted
		case ',':
			if !quoted {
				return s[:i], s[i+1:]
			}
		}
	}
	return s, ""
}

// seconds returns the number of seconds that a header gives.
func seconds(s string) (n int64, valid bool) {
	s = strings.TrimSpace(s)
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return maxAgeSeconds, true // digits, but too many
	}
	return min(n, maxAgeSeconds), true
}
