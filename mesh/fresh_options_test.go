package mesh_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/cachemesh/cachemesh/mesh"
)

func TestOptionsThatMakeNoSenseAreRefusedByName(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *town) {
		for _, tt := range []struct {
			field string
			opts  mesh.Options
		}{
			{"RefreshAhead", mesh.Options{RefreshAhead: 1.5}},
			{"RefreshAhead", mesh.Options{RefreshAhead: 1}},
			{"RefreshAhead", mesh.Options{RefreshAhead: -0.1}},
			{"RefreshAhead", mesh.Options{RefreshAhead: math.NaN()}},
			{"SoftTimeout", mesh.Options{SoftTimeout: time.Second}},
			{"SoftTimeout", mesh.Options{SoftTimeout: time.Second, StaleWhileRevalidate: time.Minute}},
			{"SoftTimeout", mesh.Options{SoftTimeout: time.Second, StaleWhileRevalidate: time.Minute, StaleIfError: time.Minute}},
			{"SoftTimeout", mesh.Options{SoftTimeout: -1, StaleIfError: time.Minute}},
			{"SoftTimeout", mesh.Options{SoftTimeout: time.Minute, StaleIfError: time.Hour, LoadTimeout: time.Second}},
			{"StaleWhileRevalidate", mesh.Options{StaleWhileRevalidate: -time.Second}},
			{"StaleWhileRevalidate", mesh.Options{StaleWhileRevalidate: time.Microsecond}},
			{"StaleIfError", mesh.Options{StaleIfError: -time.Second}},
			{"TTL", mesh.Options{TTL: mesh.NoExpiry, StaleWhileRevalidate: time.Second}},
			{"TTL", mesh.Options{TTL: mesh.NoExpiry, StaleIfError: time.Second}},
			{"TTL", mesh.Options{TTL: mesh.NoExpiry, RefreshAhead: 0.5}},
			{"TTL", mesh.Options{TTL: -time.Second}},
			{"ErrorBackoff", mesh.Options{ErrorBackoff: -1}},
			{"NegativeTTL", mesh.Options{NegativeTTL: -time.Second}},
			{"MaxIsolation", mesh.Options{MaxIsolation: -time.Second}},
			{"BatchLimit", mesh.Options{BatchLimit: -1}},
			{"BatchWindow", mesh.Options{BatchWindow: 1001 * time.Millisecond}},
			{"LoadTimeout", mesh.Options{LoadTimeout: -1}},
			{"MaxLoads", mesh.Options{MaxLoads: -1}},
			{"Jitter", mesh.Options{Jitter: 1.1}},
			{"Jitter", mesh.Options{Jitter: math.NaN()}},
		} {
			_, err := mesh.NewCache(w.meshes[0], "c", newSource(), tt.opts)
			if err == nil || !strings.Contains(err.Error(), "Options."+tt.field+" ") {
				t.Errorf("%+v: want the field %s, got %v", tt.opts, tt.field, err)
			}
		}
		_, err := mesh.NewCache(w.meshes[0], "c", newSource(), mesh.Options{RefreshAhead: 2, BatchLimit: -1})
		if err == nil || !strings.Contains(err.Error(), "RefreshAhead") || !strings.Contains(err.Error(), "BatchLimit") {
			t.Errorf("not both faults are named: %v", err)
		}
		// And what makes sense is taken.
		openOn[string](w, w.meshes[0], "all", newSource(), everything())
		openOn[string](w, w.meshes[0], "forever", newSource(), mesh.Options{TTL: mesh.NoExpiry, NegativeTTL: mesh.NoExpiry, BatchWindow: time.Second})
	})
}

// everything has every option on.
func everything() mesh.Options {
	return mesh.Options{
		TTL: time.Hour, Jitter: 0.2, NegativeTTL: time.Minute, ReplicaTTL: time.Minute,
		StaleWhileRevalidate: time.Minute, StaleIfError: time.Hour, ErrorBackoff: time.Second, SoftTimeout: time.Second,
		RefreshAhead: 0.8, LoadTimeout: time.Minute, MaxLoads: 10, MaxIsolation: time.Minute,
		BatchLimit: 10, BatchWindow: time.Millisecond, Observer: &listener{},
	}
}
