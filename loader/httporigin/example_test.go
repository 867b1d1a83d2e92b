package httporigin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/cachemesh/cachemesh/loader"
	"github.com/cachemesh/cachemesh/loader/httporigin"
)

func ExampleNew() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("id") != "42" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprint(w, "Ada")
	}))
	defer server.Close()

	origin, err := httporigin.New(server.URL+"/user?id={key}", httporigin.Options{MaxBytes: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer origin.Close()
	ctx := context.Background()

	item, err := origin.Load(ctx, loader.Request[[]byte]{Key: "42"})
	fmt.Println(string(item.Value), item.TTL, err)

	_, err = origin.Load(ctx, loader.Request[[]byte]{Key: "43"})
	fmt.Println(errors.Is(err, loader.ErrNotFound))

	_, err = httporigin.New("http://{key}/", httporigin.Options{})
	fmt.Println(err)
	// Output:
	// Ada 1m0s <nil>
	// true
	// httporigin: template "http://{key}/": {key} must be in the path or the query: a key must not choose the host
}
