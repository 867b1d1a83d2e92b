package node

import (
	"regexp"
	"strings"

	"github.com/cachemesh/cachemesh/mesh"
)

// CacheSpec is one cache that a node opens: its values are the bytes that the
// origin has under the key.
type CacheSpec struct {
	// Name of the cache: one subject token, [A-Za-z0-9_-]{1,64}.
	Name string
	// Origin is where values are loaded from: "file:DIR" for the files of a
	// directory, by slash path, or an "http://" or "https://" URL with {key}
	// where the key goes. It must be empty for a node that is a Reader.
	Origin string
	// Options of the cache. The zero value works.
	Options mesh.Options
}

// ParseCacheSpec reads a cache as it is written on a command line:
//
//	NAME=ORIGIN[,OPTION=VALUE]...
//
// such as "docs=file:/srv/docs,ttl=1m,bytes=256MiB". The options are
//
//	ttl           how long a value is fresh: a duration, or never
//	bytes         memory for owned values: a size such as 64MiB
//	replica-bytes memory for replicas of hot values: a size; 0 for none
//	replica-ttl   longest life of a replica: a duration
//	negative-ttl  how long "not found" is remembered: a duration; 0 for not at all
//	jitter        share of the TTL taken off at random: 0 to 1
//	load-timeout  bound of one load: a duration
//	max-loads     loads at once: a number
//	max-value     largest value: a size
//
// with the defaults of mesh.Options. A URL may contain commas: only what
// trails it in the form ",option=value" is an option. A trailing ",name=value"
// with a name that is no option is an error, unless its value could be none
// (it has one of / ? & { } % : @ =), for then it belongs to the URL. Where that is
// not what is meant, write the comma of the URL as %2C.
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
		option, value, _ := strings.Cut(setting, "=")
		if seen[option] {
			return CacheSpec{}, configErrorf("cache %q: option %s is given twice", name, option)
		}
		seen[option] = true
		if err := setOption(&spec.Options, option, value); err != nil {
			return CacheSpec{}, configErrorf("cache %q: %v", name, err)
		}
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
	if _, err := findOrigin(s.Origin); err != nil {
		return configErrorf("cache %q: %v", s.Name, err)
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
		option, _, _ := strings.Cut(part, "=")
		// An option without a value, and a stray comma at the end, are
		// mistakes that a URL would swallow in silence.
		if !isOption(option) && part != "" && !settingShape.MatchString(part) {
			return s, settings
		}
		s = s[:i]
		settings = append([]string{part}, settings...)
	}
}

var nameShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// validName: one subject token, as mesh wants it.
func validName(s string) bool { return nameShape.MatchString(s) }
