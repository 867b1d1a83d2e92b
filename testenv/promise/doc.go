// Package promise judges what a cache answered. It knows nothing of how a cache works: it is given a history of gets,
// invalidations and loads, and finds the answers that broke a promise.
//
// Every value says which load it comes from. So the checker knows, for each value read, when the load began, and that
// is all that freshness is about: a value is as old as the beginning of its load.
//
//	r := promise.NewRecorder(nil)
//	cache, err := mesh.NewCache(m, "users", r.Loader(m.ID()), mesh.Options{})
//	r.Invalidate(ctx, cache, m, "42")
//	r.Get(ctx, cache, m, "42")
//	for _, v := range promise.Check(r.History()) {
//		t.Error(v)
//	}
//
// Each member of a mesh loads through a Loader of the same Recorder; reads and invalidations go through the Recorder,
// which calls the cache and writes down when it was called, when it returned and what. Histories may also be made by
// hand, or by a simulator with a clock of its own: History is plain data.
//
// # Rules
//
// Check without rules applies those of Default. A rule that needs a number is made by a function.
//
//   - Genuine: a value read was loaded, for the key that was asked for, before the get ended.
//   - Invalidated: a get that starts after an invalidation returned nil reads no value whose load began before the
//     invalidation was called, on any member that its caller counted when it returned. After a partial one this holds on the counted
//     members that it does not list.
//   - OwnInvalidation: the same on the caller's own member, whatever the invalidation returned.
//   - OneLoadPerMember: the loads of a key do not overlap on one member.
//   - OneLoadWhenSteady: nor on different ones, in the times that the history calls steady.
//   - BoundedAge(ttl): no value read is older than ttl when its get starts.
//   - BoundedWait(slack): a get with a deadline ends at most slack after it.
//   - NoRegress: on one member, a get that starts after another ended reads no older load of the key. Caches do not
//     promise it in general, and Default leaves it out: when owners change, the next one may have an older value.
//   - NoRegressWhenSteady: the same in the times that the history calls steady, for values that were loaded, where the
//     older load had ended before the younger began.
//
// Two loads may overlap where something asks for a second one: an invalidation of the key between the start of
// the get that asked for the first and the beginning of the second, or of all keys or any tag, a get with Fresh, or the
// cancelling of the first.
//
// # Time
//
// Times count from the start of the history. A Recorder never gives the same instant twice, even where its clock
// stands still as a virtual one does, so that the order of two events on different goroutines is never in doubt. In
// histories from elsewhere, what falls on the same instant counts as overlapping and proves nothing.
package promise
