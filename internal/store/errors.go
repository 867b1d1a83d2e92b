package store

import "errors"

// ErrBudget is returned by New when a memory budget makes no sense.
var ErrBudget = errors.New("store: bad budget")
