package main

import (
	"context"
	"math/rand/v2"
)

// joining lets one more member join and get one of the keys.
func joining(ctx context.Context, s *system, c command) (r reply, err error) {
	r.Took, err = s.join(ctx, keyName(c, rand.IntN(c.Keys)), c.Want)
	return r, err
}
