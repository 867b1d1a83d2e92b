package node

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
)

// option is one setting of a cache specification.
type option struct {
	name  string
	alias string // a shorter name, "" for none
	bare  string // its value when it is written without one, "" when it needs one
	set   func(s *CacheSpec, value string) error
}

// label is the option as lists of options show it.
func (o option) label() string {
	if o.alias != "" {
		return o.name + " (" + o.alias + ")"
	}
	return o.name
}

// options in the order in which they are listed to the user. Their ranges are
// checked here, in the words of the command line; mesh.NewCache checks again.
var options = []option{
	{name: "ttl", set: func(s *CacheSpec, v string) (err error) {
		if v == "never" {
			s.Options.TTL = mesh.NoExpiry
			return nil
		}
		s.Options.TTL, err = parseDuration(v, `a duration such as 90s or 5m, or "never"`)
		return err
	}},
	{name: "jitter", set: func(s *CacheSpec, v string) error {
		share, err := strconv.ParseFloat(v, 64)
		if err != nil || !(share >= 0 && share <= 1) {
			return fmt.Errorf("%q is not a share from 0 to 1, such as 0.1", v)
		}
		s.Options.Jitter = share
		if share == 0 {
			s.Options.Jitter = -1 // 0 is the default there, and none here
		}
		return nil
	}},
	{name: "negative-ttl", set: window(func(o *mesh.Options) *time.Duration { return &o.NegativeTTL })},
	{name: "refresh-ahead", set: func(s *CacheSpec, v string) error {
		share, err := strconv.ParseFloat(v, 64)
		if err != nil || !(share >= 0 && share < 1) {
			return fmt.Errorf("%q is not a share of the ttl from 0 to below 1, such as 0.8", v)
		}
		s.Options.RefreshAhead = share
		return nil
	}},
	{name: "stale-while-revalidate", alias: "swr", set: window(func(o *mesh.Options) *time.Duration { return &o.StaleWhileRevalidate })},
	{name: "stale-if-error", alias: "sie", set: window(func(o *mesh.Options) *time.Duration { return &o.StaleIfError })},
	{name: "error-backoff", set: period(func(o *mesh.Options) *time.Duration { return &o.ErrorBackoff })},
	{name: "soft-timeout", set: window(func(o *mesh.Options) *time.Duration { return &o.SoftTimeout })},
	{name: "max-isolation", set: window(func(o *mesh.Options) *time.Duration { return &o.MaxIsolation })},
	{name: "bytes", set: func(s *CacheSpec, v string) (err error) {
		s.Options.MaxBytes, err = ParseSize(v)
		if err == nil && s.Options.MaxBytes < minBytes {
			return fmt.Errorf("%q is too small: a cache takes at least 64KiB", v)
		}
		return err
	}},
	{name: "replica-bytes", set: func(s *CacheSpec, v string) (err error) {
		s.Options.ReplicaBytes, err = ParseSize(v)
		if err == nil && s.Options.ReplicaBytes == 0 {
			s.Options.ReplicaBytes = -1 // 0 is the default there, and none here
		}
		return err
	}},
	{name: "replica-ttl", set: period(func(o *mesh.Options) *time.Duration { return &o.ReplicaTTL })},
	{name: "load-timeout", set: period(func(o *mesh.Options) *time.Duration { return &o.LoadTimeout })},
	{name: "max-loads", set: func(s *CacheSpec, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a number of at least 1", v)
		}
		s.Options.MaxLoads = n
		return nil
	}},
	{name: "max-value", set: func(s *CacheSpec, v string) (err error) {
		s.Options.MaxValueBytes, err = ParseSize(v)
		if err == nil && (s.Options.MaxValueBytes < 1 || s.Options.MaxValueBytes > maxValue) {
			return fmt.Errorf("%q is out of range: values are 1 byte to 1GiB", v)
		}
		return err
	}},
	{name: "keep-slashes", bare: "true", set: func(s *CacheSpec, v string) error {
		if v != "true" && v != "false" {
			return fmt.Errorf("%q is not true or false", v)
		}
		s.KeepSlashes = v == "true"
		return nil
	}},
	{name: "latency", set: func(s *CacheSpec, v string) (err error) {
		s.Latency, err = parseWindow(v)
		return err
	}},
}

// period sets a duration of at least 1ms.
func period(field func(*mesh.Options) *time.Duration) func(*CacheSpec, string) error {
	return func(s *CacheSpec, v string) (err error) {
		*field(&s.Options), err = parseDuration(v, "a duration such as 10s")
		return err
	}
}

// window sets a duration that may be 0: not at all.
func window(field func(*mesh.Options) *time.Duration) func(*CacheSpec, string) error {
	return func(s *CacheSpec, v string) (err error) {
		*field(&s.Options), err = parseWindow(v)
		return err
	}
}

const (
	minBytes = 64 << 10 // mesh.Options.MaxBytes says so
	maxValue = 1 << 30  // mesh.Options.MaxValueBytes says so
)

// findOption gives the option of a name or alias.
func findOption(name string) (option, bool) {
	for _, o := range options {
		if name == o.name || name != "" && name == o.alias {
			return o, true
		}
	}
	return option{}, false
}

// setOption sets one option as it is written: NAME=VALUE, or NAME alone. It
// gives the option's name.
func setOption(to *CacheSpec, setting string) (name string, err error) {
	name, value, hasValue := strings.Cut(setting, "=")
	o, known := findOption(name)
	switch {
	case name == "":
		return "", fmt.Errorf("an option is empty: write ,NAME=VALUE, or %%2C for a comma of the URL")
	case !known:
		var all []string
		for _, o := range options {
			all = append(all, o.label())
		}
		return "", fmt.Errorf("unknown option %q: there are %s (a comma that belongs to a URL is written %%2C)", name, strings.Join(all, ", "))
	case !hasValue:
		value = o.bare
	}
	if value == "" {
		return "", fmt.Errorf("option %s has no value: write %s=VALUE", name, name)
	}
	if err := o.set(to, value); err != nil {
		return "", fmt.Errorf("option %s: %v", name, err)
	}
	return o.name, nil
}

// parseWindow reads a duration of at least 1ms, or 0.
func parseWindow(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil && d == 0 {
		return 0, nil
	}
	return parseDuration(s, "a duration such as 5s, or 0 for not at all")
}

// parseDuration reads a duration of at least 1ms.
func parseDuration(s, want string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not %s", s, want)
	}
	if d < time.Millisecond {
		return 0, fmt.Errorf("%q is too short: it must be at least 1ms", s)
	}
	return d, nil
}
