package roster

import "slices"

// Rank names who ranks first for the key of one fetch among those who may own
// it, less those ruled out; "" is nobody.
type Rank func(without []string) string

// Step is what to do next for a fetch: exactly one of its fields is set.
type Step struct {
	Ask  string // ask this member
	Own  bool   // act as the owner here
	Load bool   // load for ourselves: the last resort
}

// Route is the path of one fetch: ask the owner; follow one redirect, whoever
// gives it; when a member cannot be reached, ask the next in rank; then load.
// So no fetch asks more than three members, and none waits in a circle.
type Route struct {
	out        []string // ruled out, in the order of asking
	redirected bool
	referrer   string // who gave the redirect
	referred   string // whom it named
	failures   int
}

// Start begins the route at whoever ranks first.
func (t *Route) Start(self, first string) Step {
	switch first {
	case "":
		return Step{Load: true}
	case self:
		return Step{Own: true}
	}
	return Step{Ask: first}
}

// Redirect goes on after from has answered that to owns the key. From is ruled
// out: it would not answer the same question otherwise the next time.
func (t *Route) Redirect(self, from, to string, rank Rank) Step {
	if to == self {
		return Step{Own: true}
	}
	if to == "" || t.redirected {
		return t.next(self, from, rank)
	}
	t.redirected, t.referrer, t.referred = true, from, to
	t.ruleOut(from)
	return Step{Ask: to}
}

// Skip goes on without a member that is known to be out of reach, and was not
// asked for that reason: it costs no time, and so does not count as a failure.
func (t *Route) Skip(self, who string, rank Rank) Step {
	t.failures--
	return t.Fail(self, who, rank)
}

// Fail goes on after from could not be reached. Whoever has named from in its
// place does not know that yet, and is asked again: it may rank next, and hold
// what it loaded for others who know.
func (t *Route) Fail(self, from string, rank Rank) Step {
	if from == t.referred && from != "" {
		t.out = slices.DeleteFunc(t.out, func(id string) bool { return id == t.referrer })
		t.referred = ""
	}
	return t.next(self, from, rank)
}

// next goes on without from.
func (t *Route) next(self, from string, rank Rank) Step {
	t.failures++
	t.ruleOut(from)
	switch to := rank(t.out); {
	case to == self && to != "":
		return Step{Own: true}
	case to != "" && t.failures <= 1:
		return Step{Ask: to}
	}
	return Step{Load: true}
}

// Clone is the same route, to be gone on with apart from this one.
func (t *Route) Clone() Route {
	c := *t
	c.out = slices.Clone(t.out)
	return c
}

// RuledOut are the members that the next question names as ruled out.
func (t *Route) RuledOut() []string { return slices.Clone(t.out) }

func (t *Route) ruleOut(id string) {
	if !slices.Contains(t.out, id) {
		t.out = append(t.out, id)
	}
}
