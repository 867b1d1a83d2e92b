// Package loader is the contract between a cache and what fills it.
//
// A [Loader] gets one value from the origin: a database, a service, a file. A
// [BatchLoader] can get several at once. [Of] and [OfMany] make them from plain
// functions. The packages below this one hold loaders for common origins.
//
// [Flights] makes the concurrent loads of one key into one. A flight belongs to
// no caller: each waits as long as its own context allows, one that gives up
// takes nothing from the others, and the load is cancelled when nobody is left.
// [Safely] and [SafelyMany] call a loader so that its panic is an error.
package loader
