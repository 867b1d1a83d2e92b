// Package hashing says which member owns a key.
//
// A [Set] is an immutable set of weighted members. Every process that builds a
// set of the same members, in whatever order it learned of them, names the same
// owner for every key, without asking anybody. Sets are built whole with [New]
// on each change of membership and never modified, so they are safe for
// concurrent use.
//
// Ownership follows rendezvous hashing (Thaler and Ravishankar, "Using
// name-based mappings to increase hit rates", 1998): the owner is the member
// whose hash combined with the key's is the highest. It follows that removing a
// member moves the keys of that member and no others, and that a member that
// joins takes keys only for itself.
//
// The hash is part of the protocol: members that hash differently disagree on
// owners. [Version] names it, and testdata/owners.v1.txt freezes it.
package hashing
