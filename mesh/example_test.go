package mesh_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cachemesh/cachemesh/internal/natsd"
	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/mesh"
)

// User is what the examples cache.
type User struct {
	Name string
}

// loadUser stands for a query to a database.
func loadUser(_ context.Context, id string) (User, error) {
	names := map[string]string{"42": "Ada", "43": "Grace"}
	if name, ok := names[id]; ok {
		return User{Name: name}, nil
	}
	return User{}, loader.ErrNotFound
}

// connect gives a connection to a NATS server of the example's own. A program connects to
// the one it has: nats.Connect(nats.DefaultURL, nats.MaxReconnects(-1)).
func connect() (nc *nats.Conn, end func()) {
	s, err := natsd.Start(natsd.Config{InProcess: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	nc, err = nats.Connect("", nats.InProcessServer(s), nats.MaxReconnects(-1))
	if err != nil {
		panic(err)
	}
	return nc, func() {
		nc.Close()
		s.Shutdown()
	}
}

// quiet makes the examples fast and silent. The zero Config works.
var quiet = mesh.Config{Name: "shop", Heartbeat: 20 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}

func Example() {
	ctx := context.Background()
	nc, end := connect() // nats.Connect(nats.DefaultURL)
	defer end()

	m, err := mesh.Join(ctx, nc, quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Leave(ctx)
	users, err := mesh.NewCache(m, "users", loader.Of(loadUser), mesh.Options{TTL: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	u, err := users.Get(ctx, "42")
	fmt.Println(u.Name, err)
	// Output: Ada <nil>
}

// users opens a cache on a mesh of one, for the examples below.
func users(opts mesh.Options) (*mesh.Cache[User], func()) {
	nc, end := connect()
	m, err := mesh.Join(context.Background(), nc, quiet)
	if err != nil {
		panic(err)
	}
	c, err := mesh.NewCache(m, "users", loader.Of(loadUser), opts)
	if err != nil {
		panic(err)
	}
	return c, func() {
		_ = m.Leave(context.Background())
		end()
	}
}

func ExampleJoin() {
	nc, end := connect()
	defer end()
	m, err := mesh.Join(context.Background(), nc, mesh.Config{ID: "web.1"})
	fmt.Println(m, err)
	// Output: <nil> mesh: Config.ID is "web.1": it must be 1 to 64 of A-Z a-z 0-9 _ -
}

func ExampleNewCache() {
	ctx := context.Background()
	nc, end := connect()
	defer end()
	m, err := mesh.Join(ctx, nc, quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Leave(ctx)
	// A loader that says more than a value: how long it lives, and how it was tagged.
	from := loader.Func[string](func(_ context.Context, req loader.Request[string]) (loader.Item[string], error) {
		return loader.Item[string]{Value: strings.ToUpper(req.Key), TTL: time.Hour, Tags: []string{"letters"}}, nil
	})
	letters, err := mesh.NewCache(m, "letters", from, mesh.Options{MaxBytes: 256 << 20, Jitter: -1})
	if err != nil {
		fmt.Println(err)
		return
	}
	e, err := letters.Lookup(ctx, "a")
	fmt.Println(e.Value, e.TTL.Round(time.Minute), e.Tags, err)
	// Output: A 1h0m0s [letters] <nil>
}

func ExampleCache_Get() {
	c, end := users(mesh.Options{})
	defer end()
	_, err := c.Get(context.Background(), "44")
	fmt.Println(errors.Is(err, mesh.ErrNotFound))
	// Output: true
}

func ExampleCache_GetMany() {
	c, end := users(mesh.Options{})
	defer end()
	found, err := c.GetMany(context.Background(), []string{"42", "43", "44"})
	fmt.Println(len(found), found["43"].Name, err)
	// Output: 2 Grace <nil>
}

func ExampleCache_Lookup() {
	ctx := context.Background()
	c, end := users(mesh.Options{TTL: time.Minute, Jitter: -1})
	defer end()
	for range 2 {
		e, err := c.Lookup(ctx, "42")
		fmt.Println(e.Value.Name, e.Source, e.TTL.Round(time.Second), err)
	}
	// Output:
	// Ada loaded 1m0s <nil>
	// Ada local 1m0s <nil>
}

func ExampleCache_Set() {
	ctx := context.Background()
	c, end := users(mesh.Options{})
	defer end()
	// After the database has been written: this saves the load.
	if err := c.Set(ctx, "42", loader.Item[User]{Value: User{Name: "Ada Lovelace"}}); err != nil {
		fmt.Println(err)
		return
	}
	u, err := c.Get(ctx, "42")
	fmt.Println(u.Name, err)
	// Output: Ada Lovelace <nil>
}

func ExampleCache_Invalidate() {
	c, end := users(mesh.Options{})
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := c.Invalidate(ctx, "42", "43")
	var partial *mesh.PartialError
	switch {
	case err == nil:
		fmt.Println("no member reads an older value from here on")
	case errors.As(err, &partial):
		fmt.Println("it goes on behind our back for", partial.Members)
	}
	// Output: no member reads an older value from here on
}

func ExampleCache_Clear() {
	ctx := context.Background()
	c, end := users(mesh.Options{})
	defer end()
	_, _ = c.Get(ctx, "42")
	fmt.Println(c.Clear(ctx))
	_, err := c.Get(ctx, "42", mesh.CachedOnly())
	fmt.Println(err)
	// Output:
	// <nil>
	// mesh: not cached
}

func ExampleCache_Close() {
	c, end := users(mesh.Options{})
	defer end()
	fmt.Println(c.Close())
	_, err := c.Get(context.Background(), "42")
	fmt.Println(err)
	// Output:
	// <nil>
	// mesh: closed
}

func ExampleCache_Stats() {
	ctx := context.Background()
	c, end := users(mesh.Options{})
	defer end()
	for range 10 {
		_, _ = c.Get(ctx, "42")
	}
	st := c.Stats()
	fmt.Println(st.Gets, st.Hits, st.Loads)
	// Output: 10 9 1
}

func ExampleMesh_Leave() {
	nc, end := connect()
	defer end()
	m, err := mesh.Join(context.Background(), nc, quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	// When the process is told to end: heirs take over what this member holds.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(m.Leave(ctx))
	fmt.Println(nc.IsClosed()) // the connection stays the caller's
	// Output:
	// <nil>
	// false
}

func ExampleMesh_Members() {
	ctx := context.Background()
	nc, end := connect()
	defer end()
	cfg := quiet
	cfg.ID = "web-1"
	m, err := mesh.Join(ctx, nc, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Leave(ctx)
	for _, member := range m.Members() {
		fmt.Println(member.ID, member.Weight, member.Reader)
	}
	// Output: web-1 1 false
}

func ExampleFresh() {
	ctx := context.Background()
	c, end := users(mesh.Options{})
	defer end()
	_, _ = c.Get(ctx, "42")
	e, err := c.Lookup(ctx, "42", mesh.Fresh())
	fmt.Println(e.Source, c.Stats().Loads, err)
	// Output: loaded 2 <nil>
}

func ExampleCachedOnly() {
	ctx := context.Background()
	c, end := users(mesh.Options{})
	defer end()
	_, err := c.Get(ctx, "42", mesh.CachedOnly())
	fmt.Println(errors.Is(err, mesh.ErrNotCached), c.Stats().Loads)
	// Output: true 0
}

func ExampleMaxAge() {
	ctx := context.Background()
	c, end := users(mesh.Options{TTL: time.Hour})
	defer end()
	_, _ = c.Get(ctx, "42")
	e, err := c.Lookup(ctx, "42", mesh.MaxAge(time.Minute))
	fmt.Println(e.Source, e.Age < time.Minute, err)
	// Output: local true <nil>
}

// asJSON is encoding/json's pair.
type asJSON struct{}

func (asJSON) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (asJSON) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

func ExampleCodec() {
	ctx := context.Background()
	nc, end := connect()
	defer end()
	m, err := mesh.Join(ctx, nc, quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Leave(ctx)
	if _, err := mesh.NewCache(m, "users", loader.Of(loadUser), mesh.Options{Codec: asJSON{}}); err != nil {
		fmt.Println(err)
		return
	}
	// Clients in any language read what the codec writes.
	reply, err := nc.Request("mesh.shop.get.users", []byte("42"), time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(reply.Data), reply.Header.Get(mesh.HeaderSource))
	// Output: {"Name":"Ada"} loaded
}
