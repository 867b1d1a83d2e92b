package roster

import (
	"slices"
	"testing"
)

func rankOf(ids ...string) Rank {
	return func(without []string) string {
		for _, id := range ids {
			if !slices.Contains(without, id) {
				return id
			}
		}
		return ""
	}
}

func TestWhoIsKnownToBeOutOfReachDoesNotCountAsAFailure(t *testing.T) {
	rank := rankOf("a", "b", "c", "d")
	var r Route
	got := []Step{r.Start("me", "a"), r.Fail("me", "a", rank), r.Skip("me", "b", rank), r.Fail("me", "c", rank)}
	want := []Step{{Ask: "a"}, {Ask: "b"}, {Ask: "c"}, {Load: true}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	got = []Step{r.Skip("me", "d", rank)}
	if want := []Step{{Load: true}}; !slices.Equal(got, want) {
		t.Errorf("with nobody left %+v, want %+v", got, want)
	}
}

func TestARoute(t *testing.T) {
	rank := rankOf("a", "b", "c", "me", "d")
	type event struct{ redirect string } // "": a failure
	for name, c := range map[string]struct {
		first  string
		rank   Rank
		events []event
		want   []Step
	}{
		"asks the owner":                           {"a", rank, nil, []Step{{Ask: "a"}}},
		"is short for the owner":                   {"me", rank, nil, []Step{{Own: true}}},
		"loads when nobody owns":                   {"", rank, nil, []Step{{Load: true}}},
		"follows a redirect":                       {"a", rank, []event{{"b"}}, []Step{{Ask: "a"}, {Ask: "b"}}},
		"obeys a redirect to itself":               {"a", rank, []event{{"me"}}, []Step{{Ask: "a"}, {Own: true}}},
		"takes a second redirect for a failure":    {"a", rank, []event{{"b"}, {"c"}}, []Step{{Ask: "a"}, {Ask: "b"}, {Ask: "c"}}},
		"goes on to the next in rank":              {"a", rank, []event{{""}}, []Step{{Ask: "a"}, {Ask: "b"}}},
		"lets the next in rank redirect":           {"a", rank, []event{{""}, {"d"}}, []Step{{Ask: "a"}, {Ask: "b"}, {Ask: "d"}}},
		"loads after two failures":                 {"a", rank, []event{{""}, {""}}, []Step{{Ask: "a"}, {Ask: "b"}, {Load: true}}},
		"becomes the owner when next in rank":      {"a", rankOf("a", "me"), []event{{""}}, []Step{{Ask: "a"}, {Own: true}}},
		"becomes the owner after two failures":     {"a", rankOf("a", "b", "me"), []event{{""}, {""}}, []Step{{Ask: "a"}, {Ask: "b"}, {Own: true}}},
		"loads when a reader has nobody left":      {"a", rankOf("a"), []event{{""}}, []Step{{Ask: "a"}, {Load: true}}},
		"asks nobody twice, whatever it is told":   {"a", rank, []event{{"b"}, {"a"}}, []Step{{Ask: "a"}, {Ask: "b"}, {Ask: "c"}}},
		"asks who named a dead member again":       {"a", rank, []event{{"d"}, {""}}, []Step{{Ask: "a"}, {Ask: "d"}, {Ask: "a"}}},
		"asks it twice at the most":                {"a", rank, []event{{"d"}, {""}, {"d"}}, []Step{{Ask: "a"}, {Ask: "d"}, {Ask: "a"}, {Load: true}}},
		"ends, however often it is sent elsewhere": {"a", rankOf("a", "b", "c", "d"), []event{{"b"}, {"c"}, {"d"}}, []Step{{Ask: "a"}, {Ask: "b"}, {Ask: "c"}, {Load: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			var r Route
			got := []Step{r.Start("me", c.first)}
			for _, e := range c.events {
				from := got[len(got)-1].Ask
				if e.redirect == "" {
					got = append(got, r.Fail("me", from, c.rank))
				} else {
					got = append(got, r.Redirect("me", from, e.redirect, c.rank))
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%+v, want %+v (ruled out %v)", got, c.want, r.RuledOut())
			}
		})
	}
}
