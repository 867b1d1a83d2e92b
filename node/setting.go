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
	name string
	set  func(o *mesh.Options, value string) error
}

// options in the order in which they are listed to the user. Their ranges are
// checked here, in the words of the command line; mesh.NewCache checks again.
var options = []option{
	{"ttl", func(o *mesh.Options, v string) (err error) {
		if v == "never" {
			o.TTL = mesh.NoExpiry
			return nil
		}
		o.TTL, err = parseDuration(v, `a duration such as 90s or 5m, or "never"`)
		return err
	}},
	{"bytes", func(o *mesh.Options, v string) (err error) {
		o.MaxBytes, err = ParseSize(v)
		if err == nil && o.MaxBytes < minBytes {
			return fmt.Errorf("%q is too small: a cache takes at least 64KiB", v)
		}
		return err
	}},
	{"replica-bytes", func(o *mesh.Options, v string) (err error) {
		o.ReplicaBytes, err = ParseSize(v)
		if err == nil && o.ReplicaBytes == 0 {
			o.ReplicaBytes = -1 // 0 is the default there, and none here
		}
		return err
	}},
	{"replica-ttl", func(o *mesh.Options, v string) (err error) {
		o.ReplicaTTL, err = parseDuration(v, "a duration such as 10s")
		return err
	}},
	{"negative-ttl", func(o *mesh.Options, v string) (err error) {
		if d, err := time.ParseDuration(v); err == nil && d == 0 {
			o.NegativeTTL = 0
			return nil
		}
		o.NegativeTTL, err = parseDuration(v, "a duration such as 5s, or 0 for not at all")
		return err
	}},
	{"jitter", func(o *mesh.Options, v string) error {
		share, err := strconv.ParseFloat(v, 64)
		if err != nil || !(share >= 0 && share <= 1) {
			return fmt.Errorf("%q is not a share from 0 to 1, such as 0.1", v)
		}
		o.Jitter = share
		if share == 0 {
			o.Jitter = -1 // 0 is the default there, and none here
		}
		return nil
	}},
	{"load-timeout", func(o *mesh.Options, v string) (err error) {
		o.LoadTimeout, err = parseDuration(v, "a duration such as 30s")
		return err
	}},
	{"max-loads", func(o *mesh.Options, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a number of at least 1", v)
		}
		o.MaxLoads = n
		return nil
	}},
	{"max-value", func(o *mesh.Options, v string) (err error) {
		o.MaxValueBytes, err = ParseSize(v)
		if err == nil && (o.MaxValueBytes < 1 || o.MaxValueBytes > maxValue) {
			return fmt.Errorf("%q is out of range: values are 1 byte to 1GiB", v)
		}
		return err
	}},
}

const (
	minBytes = 64 << 10 // mesh.Options.MaxBytes says so
	maxValue = 1 << 30  // mesh.Options.MaxValueBytes says so
)

func isOption(name string) bool {
	for _, o := range options {
		if o.name == name {
			return true
		}
	}
	return false
}

// setOption sets one option by its name.
func setOption(to *mesh.Options, name, value string) error {
	for _, o := range options {
		if o.name != name {
			continue
		}
		if value == "" {
			return fmt.Errorf("option %s has no value: write %s=VALUE", name, name)
		}
		if err := o.set(to, value); err != nil {
			return fmt.Errorf("option %s: %v", name, err)
		}
		return nil
	}
	if name == "" {
		return fmt.Errorf("an option is empty: write ,NAME=VALUE, or %%2C for a comma of the URL")
	}
	var names []string
	for _, o := range options {
		names = append(names, o.name)
	}
	return fmt.Errorf("unknown option %q: there are %s (a comma that belongs to a URL is written %%2C)", name, strings.Join(names, ", "))
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
