// Package mesh is a read-through cache that the processes of a service share
// over the NATS they already run.
//
// Each process embeds a member (Join) and opens caches by name (NewCache). Each
// key of a cache has one owner among the members that have opened it, picked by
// rendezvous hashing. A Get that this member's memory cannot answer asks the
// owner in one message; the owner loads once for everybody. Hot values of other
// owners stay here as replicas for a short while.
//
// # The promise
//
// When Invalidate returns nil, no Get that begins afterwards, on any member
// that the caller counts at that moment (Mesh.Members), returns a value whose
// load began before Invalidate was called. When it returns a *PartialError,
// that holds on every member that the error does not list, and the calling
// member itself is never listed. Values whose load an invalidation overtakes
// are answered to those who already waited, and kept nowhere.
//
// A member that is cut off from the others goes on as a mesh of its own; what it
// answers is at most TTL old. When the parts meet again they compare what
// each has applied before they count each other.
//
// With Config.Quorum (fence mode) the promise covers every member, those across a
// partition too: whoever cannot hear a quorum answers by loads and keeps nothing.
//
// # What it is not
//
// It is no store of record and writes nothing to the origin. Set only saves the
// load of a value that the origin already has.
package mesh
