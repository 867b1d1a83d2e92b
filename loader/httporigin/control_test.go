package httporigin

import (
	"net/http"
	"testing"
	"time"
)

func TestCacheControlSaysHowLongToKeep(t *testing.T) {
	const s = time.Second
	for _, tc := range []struct {
		control []string
		age     string
		ttl     time.Duration
		noStore bool
	}{
		{nil, "", 0, false},
		{nil, "100", 0, false},
		{[]string{"public, must-revalidate"}, "", 0, false},
		{[]string{"max-age=60"}, "", 60 * s, false},
		{[]string{"Max-Age=60"}, "", 60 * s, false},
		{[]string{`max-age="60"`}, "", 60 * s, false},
		{[]string{"public , max-age = 60"}, "", 60 * s, false},
		{[]string{"max-age=60"}, "20", 40 * s, false},
		{[]string{"max-age=60"}, "60", expired, false},
		{[]string{"max-age=60"}, "99999999999999999999", expired, false},
		{[]string{"max-age=60"}, "-5", 60 * s, false},
		{[]string{"max-age=0"}, "", expired, false},
		{[]string{"max-age=nonsense"}, "", expired, false},
		{[]string{"max-age=-1"}, "", expired, false},
		{[]string{"max-age"}, "", expired, false},
		{[]string{"max-age=99999999999999999999"}, "", maxAgeSeconds * s, false},
		{[]string{"max-age=60, s-maxage=10"}, "", 10 * s, false},
		{[]string{"s-maxage=0, max-age=60"}, "", expired, false},
		{[]string{"max-age=60, max-age=10"}, "", 60 * s, false},
		{[]string{"max-age=60", "no-store"}, "", 0, true},
		{[]string{"no-cache, no-store"}, "", 0, true},
		{[]string{"NO-STORE"}, "", 0, true},
		{[]string{"private, max-age=60"}, "", 0, true},
		{[]string{`private="set-cookie", max-age=60`}, "", 60 * s, false},
		{[]string{"no-cache"}, "", expired, false},
		{[]string{"no-cache, max-age=60"}, "", expired, false},
		{[]string{`no-cache="set-cookie, no-store", max-age=60`}, "", 60 * s, false},
		{[]string{",, ,max-age=60,"}, "", 60 * s, false},
		{[]string{`ext="unended, max-age=60`}, "", 0, false},
	} {
		h := http.Header{}
		for _, v := range tc.control {
			h.Add("Cache-Control", v)
		}
		if tc.age != "" {
			h.Set("Age", tc.age)
		}
		if ttl, noStore := lifetime(h); ttl != tc.ttl || noStore != tc.noStore {
			t.Errorf("%q, age %q: %v, no store %v; want %v, %v", tc.control, tc.age, ttl, noStore, tc.ttl, tc.noStore)
		}
	}
}
