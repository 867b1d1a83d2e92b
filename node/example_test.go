package node_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	"github.com/cachemesh/cachemesh/node"
)

// A process that brings its own NATS and serves the files of a directory.
func ExampleStart() {
	docs, err := node.ParseCacheSpec("docs=file:.,ttl=1m")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	n, err := node.Start(ctx, node.Config{
		Embed:     true,
		EmbedAddr: "127.0.0.1:0", // any free port
		ID:        "one",
		Caches:    []node.CacheSpec{docs},
		Logger:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n.ID(), n.Ready(), n.Mesh().Members()[0].Caches)
	fmt.Println(n.Leave(ctx))
	// Output:
	// one <nil> [docs]
	// <nil>
}
