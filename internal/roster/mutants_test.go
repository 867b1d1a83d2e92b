package roster

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var (
	mutantsFlag = flag.Bool("mutants", false, "build each mutant and see that the tests and the simulation catch it: some minutes")
	mutantFlag  = flag.String("mutant", "", "with -mutants: only those whose name contains this")
)

// mutant is the roster with one thing wrong.
type mutant struct {
	file, name string
	old, new   string // old occurs once in the file
}

// TestMutantsApply keeps the list true to the code.
func TestMutantsApply(t *testing.T) {
	names := map[string]bool{}
	for _, m := range mutants {
		if names[m.name] {
			t.Errorf("two mutants are called %q", m.name)
		}
		names[m.name] = true
		if _, err := m.source(); err != "" {
			t.Errorf("%s: %s: %s", m.file, m.name, err)
		}
	}
	if len(mutants) < 40 {
		t.Errorf("%d mutants", len(mutants))
	}
}

// source is the file with the mutation.
func (m mutant) source() (string, string) {
	text, err := os.ReadFile(m.file)
	switch n := strings.Count(string(text), m.old); {
	case err != nil:
		return "", err.Error()
	case n != 1:
		return "", "the original is found more or less than once: " + m.old
	}
	return strings.Replace(string(text), m.old, m.new, 1), ""
}

// TestMutantsAreCaught builds each mutant by an overlay, which changes no file, and
// runs the tests of this package on it until one fails; then, if none does, the simulation:
// a few seeds of every scenario, then many. Two mutants run at a time, on one processor each.
func TestMutantsAreCaught(t *testing.T) {
	if !*mutantsFlag {
		t.Skip("no -mutants")
	}
	var byTests, bySeeds atomic.Int64
	began := time.Now()
	t.Cleanup(func() {
		t.Logf("%d caught by tests, %d by the simulation alone, of %d, in %v", byTests.Load(), bySeeds.Load(), len(mutants), time.Since(began).Round(time.Second))
	})
	free := make(chan struct{}, 2)
	for _, m := range mutants {
		if !strings.Contains(m.name, *mutantFlag) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			free <- struct{}{}
			defer func() { <-free }()
			overlay := m.overlay(t)
			tests := build(t, overlay, ".")
			for _, args := range [][]string{{"-test.short"}, nil} {
				if out, ok := runs(t, tests, ".", append(args, "-test.failfast", "-test.timeout=60s")...); !ok {
					byTests.Add(1)
					t.Log("caught by " + firstFailure(out))
					return
				}
			}
			const simulation = "../../testenv/simulation"
			seeds := build(t, overlay, simulation)
			for _, n := range []string{"4", "100"} {
				if out, ok := runs(t, seeds, simulation, "-test.run", "TestEveryPromiseIsKept", "-test.failfast", "-test.timeout=5m", "-seeds", n); !ok {
					bySeeds.Add(1)
					t.Log("caught by the simulation: " + firstFailure(out))
					return
				}
			}
			t.Errorf("%s survives: %s in place of %s", m.name, m.new, m.old)
		})
	}
}

func (m mutant) overlay(t *testing.T) string {
	source, problem := m.source()
	if problem != "" {
		t.Fatal(problem)
	}
	dir := t.TempDir()
	from, err := filepath.Abs(m.file)
	to := filepath.Join(dir, m.file)
	if err == nil {
		err = os.WriteFile(to, []byte(source), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	data, _ := json.Marshal(map[string]map[string]string{"Replace": {from: to}})
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// build compiles the tests of a package with an overlay.
func build(t *testing.T, overlay, pkg string) string {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "tests")
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, pkg).CombinedOutput(); err != nil {
		t.Fatalf("the mutant does not compile:\n%s", out)
	}
	return binary
}

// runs runs the tests of a package, and reports whether they pass.
func runs(t *testing.T, binary, dir string, args ...string) (string, bool) {
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOMAXPROCS=1")
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

func firstFailure(out string) string {
	for l := range strings.Lines(out) {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, "--- FAIL") || strings.HasPrefix(l, "panic:") {
			if !strings.Contains(l, "TestMutantsApply") {
				return l
			}
		}
	}
	return "no test in particular"
}

var mutants = []mutant{
	{"applied.go", "a number above a gap extends the prefix", "if n == p.prefix+1 {", "if n <= p.prefix+2 {"},
	{"applied.go", "a gap that closes leaves its span", "p.spans[i].lo <= p.prefix+1 {", "p.spans[i].lo < p.prefix+1 {"},
	{"applied.go", "a span is taken for longer than it is", "p.spans[i].lo <= lo && hi <= p.spans[i].hi", "p.spans[i].lo <= lo"},
	{"beat.go", "heartbeats are too few for a short lease", "max(p.lease/3, minLease)", "max(p.lease*3, minLease)"},
	{"beat.go", "heartbeats do not say who is waited for", "Waits: p.waits, Counts", "Waits: p.counted, Counts"},
	{"cache.go", "a cache is owned before its opening is confirmed", "case !c.owned && r.confirmed(c):", "case !c.owned:"},
	{"cache.go", "a leaver goes on owning", "owning := r.joined && !r.leaving &&", "owning := r.joined &&"},
	{"tail.go", "a tail does not tell what the log has lost", "if s.base > s.have {", "if s.base < s.have {"},
	{"tail.go", "a tail forgets how old its news is", "Age: time.Duration(t.r.now - s.changed)", "Age: 0 * time.Duration(t.r.now-s.changed)"},
	{"gap.go", "a tail leaves out its first record", "if rec.n <= rec.src.have ||", "if rec.n <= rec.src.have+1 ||"},
	{"hear.go", "gaps are not noticed", "gap = gap || s.prefix < a.Upto && s.Instance != r.self", "gap = gap || s.prefix > a.Upto && s.Instance != r.self"},
	{"hear.go", "a lease counts from receipt", "p.echoed, p.heard = e.Seen, at", "p.echoed, p.heard = e.Seen, r.now"},
	{"hear.go", "what a peer shows is not noted", "if a.Upto > p.shown[a.Source] {", "if a.Upto < p.shown[a.Source] {"},
	{"identity.go", "an older incarnation comes back", "if n != nil && (b.From.Inc < n.inc ||", "if n != nil && (b.From.Inc < n.inc-n.inc ||"},
	{"identity.go", "the elder takes the place of a live member", "r.fresh(cur) && !(r.large && r.outranks(b, cur))", "r.fresh(cur) && !r.outranks(b, cur)"},
	{"namesake.go", "the elder of two processes of an ID obeys", "if mine < other || mine == other && r.cfg.Nonce < b.Nonce {", "if mine > other || mine == other && r.cfg.Nonce < b.Nonce {"},
	{"invalidate.go", "what no message holds is told as it is", "if size(t) > r.cfg.MaxBytes-baseSize {", "if size(t) > 1<<30 {"},
	{"tail.go", "what no message holds is taught as it is", "target := t.r.toldAs(rec.Target)", "target := rec.Target"},
	{"repeat.go", "what is not confirmed is repeated as fast as ever", "case t.sent >= repeatLeast:", "case t.sent < 0:"},
	{"repeat.go", "what is still coming in is told again", "return now-t.moved < 2*min(t.lull, most)", "return now-t.moved < 0*min(t.lull, most)"},
	{"repeat.go", "repeats do not grow where they are confirmed", "t.window, t.rests = min(2*t.window, 1<<30), 0", "t.window, t.rests = repeatLeast, 0"},
	{"gap.go", "the rest of a tail is not asked for", "p != nil && !r.caughtUp(p) {", "p != nil && p.waits && !p.waits {"},
	{"gap.go", "a tail is told in the order of the log", "if !ordered {", "if !ordered && len(lacking) < 0 {"},
	{"join.go", "one who hears nobody holds up every Join", "return !p.waits && r.now-max(r.born, p.met, p.heard) > int64(patience)", "return !p.waits && r.now < int64(patience)"},
	{"join.go", "one who waits for a predecessor is taken for deaf", "patience := lease + r.cfg.Heartbeat + r.cfg.Heartbeat/2", "patience := lease + 0*r.cfg.Heartbeat"},
	{"identity.go", "an impostor hears nothing", "r.wantBeat = r.wantBeat || !r.large && b.standing() == 0", "r.wantBeat = r.wantBeat || b.standing() < 0"},
	{"namesake.go", "a displaced member stays alone for ever", "r.leaving || r.now < r.elder.until {", "r.leaving || r.now >= 0 {"},
	{"namesake.go", "a displaced member joins again beside the elder", "r.stillThere(b.From.Inc)", "_ = b.From.Inc"},
	{"namesake.go", "a displaced member tries again and again", "<<min(r.elder.again, maxAgain)", "<<min(r.elder.again, 0)"},
	{"namesake.go", "a displaced member keeps what it hears invalidated", "r.applyTold(b)", "_ = b.Records"},
	{"quorum.go", "an invalidation while joining again waits for nobody", "if !r.fenceMode() && r.returning() {", "if !r.fenceMode() && r.over {"},
	{"identity.go", "a member keeps its incarnation although a newer is known", "if top <= r.self.Inc ||", "if top >= r.self.Inc ||"},
	{"invalidate.go", "an operation needs its first record alone", "if o.first > top || !p.acked.hasAll(o.first, o.last) {", "if o.first > top || !p.acked.hasAll(o.first, o.first) {"},
	{"invalidate.go", "a confirmation of an earlier incarnation counts", "if p == nil || c.To != r.self {", "if p == nil {"},
	{"invalidate.go", "the highest number applied passes for all below", "c.Upto = s.prefix", "c.Upto = s.top()"},
	{"repeat.go", "nothing is repeated", "if len(p.owes) == 0 || r.now < p.repeat.due {", "if len(p.owes) >= 0 || r.now < p.repeat.due {"},
	{"join.go", "Join does not wait to be counted", "return p.counted && p.confirms", "return p.counted"},
	{"join.go", "Join does not ask who else there is", "n != nil && (z.Inc < n.inc || z.Inc == n.inc && n.gone) {", "n != nil || true {"},
	{"join.go", "the last word of a leaver is forgotten", "n.inc, n.gone, n.at = who.Inc, true, r.now", "n.inc, n.gone, n.at = who.Inc, false, r.now"},
	{"join.go", "a joiner of a large mesh waits for no list", "waited && !strangers && (told || !silent)", "waited && !(strangers && silent && told)"},
	{"large.go", "who waits for a member does not test it", "if r.large && p.tested == 0 {", "if r.large && p.tested != 0 {"},
	{"large.go", "nobody tells a joiner of everybody", "return lower < r.cfg.Large.Lists", "return lower > r.cfg.Large.Lists+len(r.order)"},
	{"large.go", "a member of a large mesh tests nobody for a joiner", "p.waits && p.ID != b.From.ID {", "p.waits && p.ID == b.From.ID {"},
	{"large.go", "heartbeats in a large mesh announce a lease that they do not renew", "paceLease*r.pace()), maxLease)", "r.pace()/2), maxLease)"},
	{"beat.go", "a heartbeat to one member has the number of one to all", "r.allSeq < r.seq &&", "r.allSeq <= r.seq &&"},
	{"log.go", "the log does not know what it has lost", "r.src.base = max(r.src.base, r.n)", "r.src.base = max(r.src.base, 0)"},
	{"peer.go", "an evicted member is not reported", "o.missed = append(o.missed, p.ID)", "o.missed = o.missed[:len(o.missed):len(o.missed)]"},
	{"peer.go", "an evicted member is still counted", "if !r.cfg.Ablation.KeepCounting {", "if r.cfg.Ablation.KeepCounting {"},
	{"peer.go", "open operations do not wait for who comes", "for _, o := range r.openOps() {\n\t\tr.owe(p, o)", "for _, o := range r.openOps()[:0] {\n\t\tr.owe(p, o)"},
	{"peer.go", "a peer is counted before it has shown everything", "p.shown[k] >= n ||", "p.shown[k] < n ||"},
	{"peer.go", "what came out of order is not compared", "if top := s.top(); top > p.shown[s.Instance] && r.matters(s) {", "if top := s.prefix; top > p.shown[s.Instance] && r.matters(s) {"},
	{"peer.go", "silence counts twice the lease", "return p.echoed > 0 && time.Duration(r.now-p.heard) <= p.lease", "return p.echoed > 0 && time.Duration(r.now-p.heard) <= 2*p.lease"},
	{"question.go", "questions do not carry tags and Clear", "r.log.each(r.log.wide[k.Cache], start, add)", "r.log.each(nil, start, add)"},
	{"question.go", "questions do not carry what the log has lost", "if s.base > r.knows(p, s) && r.matters(s) {", "if s.base < r.knows(p, s) && r.matters(s) {"},
	{"question.go", "what came out of order is not carried", "if s.top() > r.knows(p, s) {", "if s.prefix > r.knows(p, s) {"},
	{"roster.go", "Want is ignored", "if r.vouched(from, b.From) && b.To == r.self {\n\t\t\tr.tail(b)", "if r.vouched(from, b.From) && b.To != r.self {\n\t\t\tr.tail(b)"},
	{"roster.go", "Gone is ignored", "r.gone(b.From)", "_ = b"},
	{"roster.go", "Taken is ignored", "r.taken(b)", "_ = b"},
	{"roster.go", "Confirm is ignored", "r.confirm(b)", "_ = b"},
	{"source.go", "what is not to be had is not dropped", "r.drop(fmt.Sprintf(\"invalidations of %s up to %d are", "_ = (fmt.Sprintf(\"invalidations of %s up to %d are"},
	{"source.go", "gone sources are forgotten early", "return r.life + 2*r.cfg.Lease", "return r.life / 8"},
	{"wake.go", "a stop is not noticed", "r.now-r.lastTick < int64(r.cfg.Lease) {", "r.now-r.lastTick < 100*int64(r.cfg.Lease) {"},
	{"wake.go", "the round after a stop ends at once", "if p.echoed < r.wakeSeq {", "if p.echoed > r.wakeSeq {"},
	{"wake.go", "the round after a stop does not wait for what was missed", "s != nil && s.prefix < n {", "s != nil && s.prefix < n && n == 0 {"},

	{"fence.go", "F1 a granted lease is forgotten", "p.hold = max(p.hold, p.seenAt+r.term())", "p.hold = max(p.hold, p.seenAt+r.term()/2)"},
	{"fence.go", "F1 a peer is waited for until the earlier moment", "end := max(p.heard+int64(p.lease), p.hold)", "end := min(p.heard+int64(p.lease), p.hold)"},
	{"fence.go", "F1 who hears nothing is granted leases", "!p.waits || !r.fresh(p) {", "!p.waits {"},
	{"fence.go", "F2 a lease is twice as long for its holder", "sent+int64(r.cfg.Lease))", "sent+2*int64(r.cfg.Lease))"},
	{"fence.go", "F3 a grant counts at once", "if r.caughtUp(p) ||", "if !r.caughtUp(p) || true ||"},
	{"fence.go", "F3 what came out of order passes for all below", "k != r.self && s.prefix < n {", "k != r.self && s.top() < n {"},
	{"fence.go", "F4 a quorum of one less is enough", "need := r.cfg.Quorum - 1", "need := max(r.cfg.Quorum-2, 0)"},
	{"fence.go", "F4 the last grant to end decides", "return until[len(until)-need]", "return until[len(until)-1]"},
	{"fence.go", "F5 a member counts in less than a lease", "r.now-r.born >= r.term()", "r.now-r.born >= r.term()/8"},
	{"fence.go", "F5 newcomers count for others", "return p.seasoned || r.cfg.Ablation.Unseasoned", "return p.seasoned || !r.cfg.Ablation.Unseasoned"},
	{"fence.go", "F6 nothing is dropped for new instances", "if r.serves > r.now && r.served &&", "if r.serves > r.now && !r.served &&"},
	{"fence.go", "F6 new instances are relied on at once", "func(p *peer) bool { return p.relied })\n\tif r.serves <= r.now {", "func(p *peer) bool { return r.mayCount(p) })\n\tif r.serves <= r.now {"},
	{"fence.go", "members of another Quorum are heard", "if b.Quorum == r.cfg.Quorum && (!r", "if b.Quorum != r.cfg.Quorum || (!r"},
	{"quorum.go", "F7 one confirmation less is enough", "need := r.cfg.Quorum - 1\n\tconfirmed", "need := max(r.cfg.Quorum-2, 0)\n\tconfirmed"},
	{"quorum.go", "F7 who was heard long ago counts", "(r.fresh(p) || r.cfg.Ablation.ConfirmLongAgo)", "(r.fresh(p) || !r.cfg.Ablation.ConfirmLongAgo)"},
	{"quorum.go", "F7 newcomers confirm for a quorum", "p.acked.prefix >= o.last && r.mayCount(p) &&", "p.acked.prefix >= o.last &&"},
	{"quorum.go", "F7 what came out of order passes for all below", "p.acked.prefix >= o.last && r", "p.acked.top() >= o.last && r"},
	{"quorum.go", "F8 nobody is waited for once a quorum has confirmed", "return r.now >= o.quorumAt+r.term()", "return r.now >= o.quorumAt"},
	{"quorum.go", "F8 half a lease is waited for", "return r.now >= o.quorumAt+r.term()", "return r.now >= o.quorumAt+r.term()/2"},
	{"quorum.go", "F8 who is evicted meanwhile is forgotten", "case vouched && len(o.missed) == 0,", "case vouched,"},
	{"quorum.go", "F8 another crowd vouches", "crowd != 0 && crowd == r.crowd()", "crowd != 0 && r.crowd() != 0"},
	{"quorum.go", "F8 nobody vouches", "crowd != 0 && crowd == r.crowd()", "crowd != 0 && crowd != r.crowd()"},
	{"quorum.go", "F8 the lease does not begin again", "if o.quorum == nil || r.attested(o) < need {", "if o.quorum == nil {"},
	{"quorum.go", "F8 only who is counted is of the crowd", "\t\tif p.waits {\n\t\t\tsum += p.mark", "\t\tif p.counted {\n\t\t\tsum += p.mark"},
}
