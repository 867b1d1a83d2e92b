package simulation

import "testing"

// TestEachRuleIsNeeded leaves out one rule at a time: the checker must notice.
func TestEachRuleIsNeeded(t *testing.T) {
	if underRace {
		t.Skip("a simulation runs on one goroutine: the race detector makes this slow, and finds nothing")
	}
	for _, a := range ablations() {
		t.Run(a.Name, func(t *testing.T) {
			const limit = 400
			sc := a.Scenario
			r := sum(sc, 0, limit, func(r Result) bool { return len(r.Violations) > 0 })
			if len(r.Violations) == 0 {
				t.Fatalf("no seed of %d shows that the rule is missing", limit)
			}
			t.Logf("seed %d: %v: %s", r.Seed, r.Violations, r.First)
		})
	}
}

// TestWhoWasStoppedHearsFirst: R11 is a courtesy. Without it no promise is broken,
// but members that were stopped answer more that is stale and load more.
func TestWhoWasStoppedHearsFirst(t *testing.T) {
	if underRace {
		t.Skip("a simulation runs on one goroutine: the race detector makes this slow, and finds nothing")
	}
	with, _ := Named("stops")
	without := with
	without.Ablation.NeverWake = true
	const seeds = 60
	a, b := sum(with, 0, seeds, nil), sum(without, 0, seeds, nil)
	t.Logf("with R11 %d stale reads across parts and %d extra loads; without %d and %d", a.Stale, a.Extra, b.Stale, b.Extra)
	if len(a.Violations)+len(b.Violations) > 0 {
		t.Errorf("violations: %v, %v", a.Violations, b.Violations)
	}
	if b.Stale < a.Stale*5/4 {
		t.Error("leaving out R11 makes little difference")
	}
}

type ablation struct {
	Name string
	Scenario
}

func ablations() []ablation {
	var out []ablation
	add := func(name, scenario string, leaveOut func(*Scenario)) {
		sc, ok := Named(scenario)
		if !ok {
			panic(scenario)
		}
		leaveOut(&sc)
		out = append(out, ablation{name, sc})
	}
	add("R1 a Get joins a detached flight", "parts", func(s *Scenario) { s.JoinDetached = true })
	add("R1 a detached flight keeps its value", "parts", func(s *Scenario) { s.KeepDetached = true })
	add("R2 Invalidate waits for nobody", "parts", func(s *Scenario) { s.Ablation.WaitForNobody = true })
	add("R2 not waiting does not evict", "parts", func(s *Scenario) { s.Ablation.KeepCounting = true })
	add("R3 questions carry nothing", "parts", func(s *Scenario) { s.Ablation.CarryNothing = true })
	add("R4 counted without comparing", "parts", func(s *Scenario) { s.Ablation.CompareNothing = true })
	add("R5 gaps are not repaired", "parts", func(s *Scenario) { s.Ablation.RepairNothing = true })
	add("R5 nothing is dropped beyond the log", "parts", func(s *Scenario) { s.Ablation.DropNothing = true })
	add("R6 gone sources are forgotten at once", "long parts", func(s *Scenario) { s.Ablation.ForgetAtOnce = true })
	add("R7 no incarnations", "faults", func(s *Scenario) { s.Ablation.OneIncarnation = true })
	add("R8 a Set pushes its value", "many writes", func(s *Scenario) { s.PushSets = true })
	add("R8 a Set keeps its value late", "many writes", func(s *Scenario) { s.KeepSetsLate = true })
	add("R9 Join waits for nobody", "parts of five", func(s *Scenario) { s.Ablation.JoinAtOnce = true })
	add("R10 a leaver is not waited for", "faults", func(s *Scenario) { s.Ablation.LeaverUncounted = true })
	add("F1 a lease that is granted is not waited for", "fence, parts", func(s *Scenario) { s.Ablation.HoldNothing = true })
	add("F2 a lease counts from the receipt of the grant", "fence, parts", func(s *Scenario) { s.Ablation.CountFromReceipt = true })
	add("F2 clocks that drift are trusted", "fence, drift", func(s *Scenario) { s.Ablation.NoDrift = true })
	add("F3 a grant counts at once", "fence, parts", func(s *Scenario) { s.Ablation.GrantBlindly = true })
	add("F4 nobody is fenced", "fence, parts", func(s *Scenario) { s.Ablation.FenceNobody = true })
	add("F4 a fenced member joins running loads", "fence, parts", func(s *Scenario) { s.JoinBypass = true })
	add("F5 newcomers count at once", "fence, restarts", func(s *Scenario) { s.Ablation.Unseasoned = true })
	add("F6 new instances are trusted", "fence, forgotten", func(s *Scenario) { s.Ablation.TrustNewcomers = true })
	add("F7 no quorum confirms", "fence, parts", func(s *Scenario) { s.Ablation.ConfirmAlone = true })
	add("F7 a confirmation counts for ever", "fence, replaced", func(s *Scenario) { s.Ablation.ConfirmLongAgo = true })
	add("F8 an invalidation ends with its quorum", "fence, parts", func(s *Scenario) { s.Ablation.EndAtOnce = true })
	return out
}
