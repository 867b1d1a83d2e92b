package loader_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cachemesh/cachemesh/loader"
)

var users = map[string]string{"42": "Ada", "43": "Grace"}

func ExampleOf() {
	l := loader.Of(func(ctx context.Context, key string) (string, error) {
		name, found := users[key]
		if !found {
			return "", fmt.Errorf("user %s: %w", key, loader.ErrNotFound)
		}
		return name, nil
	})
	item, err := l.Load(context.Background(), loader.Request[string]{Key: "42"})
	fmt.Println(item.Value, err)
	_, err = l.Load(context.Background(), loader.Request[string]{Key: "44"})
	fmt.Println(err, errors.Is(err, loader.ErrNotFound))
	// Output:
	// Ada <nil>
	// user 44: not found true
}

func ExampleOfMany() {
	l := loader.OfMany(func(ctx context.Context, keys []string) (map[string]string, error) {
		found := make(map[string]string) // as by SELECT ... WHERE id IN (keys)
		for _, key := range keys {
			if name, ok := users[key]; ok {
				found[key] = name
			}
		}
		return found, nil
	})
	items, err := l.LoadMany(context.Background(), []loader.Request[string]{{Key: "42"}, {Key: "43"}, {Key: "44"}})
	fmt.Println(len(items), items["43"].Value, err)
	// Output: 2 Grace <nil>
}

// A Func sees the request and says all of an Item.
func ExampleFunc() {
	l := loader.Func[string](func(ctx context.Context, req loader.Request[string]) (loader.Item[string], error) {
		if req.Prev != nil && req.Prev.ETag == "v2" {
			return loader.Item[string]{NotModified: true, ETag: "v2"}, nil
		}
		return loader.Item[string]{Value: "text", ETag: "v2", TTL: time.Hour}, nil
	})
	first, _ := l.Load(context.Background(), loader.Request[string]{Key: "page"})
	again, _ := l.Load(context.Background(), loader.Request[string]{Key: "page", Prev: &first})
	fmt.Println(first.Value, first.TTL, again.NotModified)
	// Output: text 1h0m0s true
}

func ExampleFlights_Do() {
	var flights loader.Flights[string]
	loads := 0
	var callers, wg sync.WaitGroup
	callers.Add(100)
	for range 100 {
		wg.Go(func() {
			callers.Done()
			flights.Do(context.Background(), "42", func(ctx context.Context) (string, error) {
				loads++ // once: 100 callers, one flight
				callers.Wait()
				time.Sleep(50 * time.Millisecond)
				return users["42"], nil
			})
		})
	}
	wg.Wait()
	fmt.Println(loads, "load")
	// Output: 1 load
}

// Join and Land are for flights that are filled from elsewhere, as by the answer
// to a message.
func ExampleFlights_Join() {
	var flights loader.Flights[string]
	flight, lead := flights.Join("42")
	if lead {
		go flight.Land("Ada", nil)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	fmt.Println(flight.Wait(ctx))
	// Output: Ada <nil>
}

func ExampleSafely() {
	l := loader.Of(func(ctx context.Context, key string) (string, error) { panic("a bug") })
	_, err := loader.Safely(context.Background(), l, loader.Request[string]{Key: "42"})
	fmt.Println(err)
	// Output: loader: the load panicked: a bug
}

func ExampleSafelyMany() {
	l := loader.OfMany(func(ctx context.Context, keys []string) (map[string]string, error) { panic("a bug") })
	_, err := loader.SafelyMany(context.Background(), l, []loader.Request[string]{{Key: "42"}})
	fmt.Println(err)
	// Output: loader: the load panicked: a bug
}
