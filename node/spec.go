package node

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
)

// CacheSpec is one cache that a node opens: its values are the bytes that the
// origin has under the key.
type CacheSpec struct {
	// Name of the cache: one subject token, [A-Za-z0-9_-]{1,64}.
	Name string
	// Origin is where values are loaded from: "file:DIR" for the files of a
	// directory, by slash path, an "http://" or "https://" URL with {key} where
	// the key goes, or "synthetic:SIZE" for made-up values of that size under
	// every key, for benchmarks; "synthetic:LEAST-MOST" for values of different
	// sizes. It must be empty for a node that is a Reader.
	Origin string
	// KeepSlashes leaves the slashes of a key in the path of an http or https
	// origin as they are, so that keys are paths. Default: they are escaped.
	KeepSlashes bool
	// Latency is what a synthetic origin takes for one load, less than
	// Options.LoadTimeout. Default 0.
	Latency time.Duration
	// Options of the cache. The zero value works.
	Options mesh.Options
}

// ParseCacheSpec reads a cache as it is written on a command line:
//
//	NAME=ORIGIN[,OPTION=VALUE]...
//
// such as "docs=file:/srv/docs,ttl=1m,bytes=256MiB". The options are
//
//	ttl                     how long a value is fresh: a duration, or never
//	jitter                  share of the TTL taken off at random: 0 to 1
//	negative-ttl            how long "not found" is remembered: a duration
//	refresh-ahead           share of the TTL past which a read starts a load behind it: below 1
//	stale-while-revalidate  after the TTL, answer the old value and load behind it: a duration
//	stale-if-error          after the TTL, answer the old value when the load fails: a duration
//	error-backoff           leave the origin alone after a failed load: a duration
//	soft-timeout            after the TTL, wait this long, then answer the old value: a duration
//	max-isolation           cut off from NATS for longer, answer nothing from memory: a duration
//	bytes                   memory for owned values: a size such as 64MiB
//	replica-bytes           memory for replicas of hot values: a size; 0 for none
//	replica-ttl             longest life of a replica: a duration
//	load-timeout            bound of one load: a duration
//	max-loads               loads at once: a number
//	max-value               largest value: a size
//	keep-slashes            of http and https origins: CacheSpec.KeepSlashes
//	latency                 of synthetic origins: CacheSpec.Latency
//
// swr and sie are short for the two stale windows. A duration of 0 switches off
// what is off by default; what is left out has the default of mesh.Options.
//
// A URL may contain commas: only what trails it in the form ",option=value" is
// an option. A trailing ",name=value" with a name that is no option is an error,
// unless its value could be none (it has one of / ? & { } % : @ =), for then it
// belongs to the URL. Where that is not what is meant, write the comma of the
// URL as %2C.
//
// Errors are ErrConfig.
func ParseCacheSpec(s string) (CacheSpec, error) {
	name, rest, ok := strings.Cut(s, "=")
	if !ok || name == "" || rest == "" {
		return CacheSpec{}, configErrorf("cache %q: write NAME=ORIGIN, such as docs=file:/srv/docs or api=https://example.org/{key}", s)
	}
	spec := CacheSpec{Name: name}
	var settings []string
	spec.Origin, settings = splitSettings(rest)
	seen := map[string]bool{}
	for _, setting := range settings {
		option, err := setOption(&spec, setting)
		if err != nil {
			return CacheSpec{}, configErrorf("cache %q: %v", name, err)
		}
		if seen[option] {
			return CacheSpec{}, configErrorf("cache %q: option %s is given twice", name, option)
		}
		seen[option] = true
	}
	if err := spec.check(false); err != nil {
		return CacheSpec{}, err
	}
	return spec, nil
}

// check refuses what makes no sense, before anything is started.
func (s CacheSpec) check(reader bool) error {
	if !validName(s.Name) {
		return configErrorf("cache name %q: it must be 1 to 64 of A-Z a-z 0-9 _ -", s.Name)
	}
	if reader {
		if s.Origin != "" {
			return configErrorf("cache %q: a reader loads nothing, it takes no origin", s.Name)
		}
		return nil
	}
	if _, err := findOrigin(s); err != nil {
		return configErrorf("cache %q: %v", s.Name, err)
	}
	if err := s.checkTogether(); err != nil {
		return configErrorf("cache %q: %v", s.Name, err)
	}
	return nil
}

// checkTogether refuses options that make no sense beside each other. mesh
// refuses them too, but in the words of its Options and once the node has joined.
func (s CacheSpec) checkTogether() error {
	o := s.Options
	loadTimeout := o.LoadTimeout
	if loadTimeout == 0 {
		loadTimeout = mesh.DefaultLoadTimeout
	}
	switch {
	case o.SoftTimeout > 0 && o.StaleIfError == 0:
		return errors.New("option soft-timeout needs stale-if-error: there would be no old value to answer with")
	case o.SoftTimeout > 0 && o.StaleIfError <= o.StaleWhileRevalidate:
		return fmt.Errorf("option soft-timeout needs stale-if-error (%v) to be longer than stale-while-revalidate (%v): until then nobody waits",
			o.StaleIfError, o.StaleWhileRevalidate)
	case o.SoftTimeout > 0 && o.SoftTimeout >= loadTimeout:
		return fmt.Errorf("option soft-timeout (%v) must be less than load-timeout (%v)", o.SoftTimeout, loadTimeout)
	case o.TTL == mesh.NoExpiry && (o.StaleWhileRevalidate > 0 || o.StaleIfError > 0 || o.RefreshAhead > 0):
		return errors.New("option ttl=never leaves nothing to be stale or refreshed: drop it, or stale-while-revalidate, stale-if-error and refresh-ahead")
	case s.Latency < 0 || s.Latency > 0 && s.Latency >= loadTimeout:
		return fmt.Errorf("option latency (%v) must be less than load-timeout (%v): every load would fail", s.Latency, loadTimeout)
	}
	return nil
}

// settingShape is a trailing part of a specification that looks like a setting,
// known or not. What has other characters in its value is part of a URL.
var settingShape = regexp.MustCompile(`^[A-Za-z][A-Za-z_-]*=[^/?&{}%:@=]*$`)

// splitSettings takes the trailing settings off an origin, in their order.
func splitSettings(s string) (origin string, settings []string) {
	for {
		i := strings.LastIndexByte(s, ',')
		if i < 0 {
			return s, settings
		}
		part := s[i+1:]
		name, _, _ := strings.Cut(part, "=")
		_, known := findOption(name)
		// An option without a value, and a stray comma at the end, are
		// mistakes that a URL would swallow in silence.
		if !known && part != "" && !settingShape.MatchString(part) {
			return s, settings
		}
		s = s[:i]
		settings = append([]string{part}, settings...)
	}
}

var nameShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// validName: one subject token, as mesh wants it.
func validName(s string) bool { return nameShape.MatchString(s) }
