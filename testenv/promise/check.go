package promise

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxPerRule bounds the violations of one rule that Check returns: a broken cache breaks its promise every time.
const maxPerRule = 100

// Violation is one broken promise.
type Violation struct {
	Rule   string
	Text   string
	Events []Event // the shortest piece of the history that shows it, in the order of their starts
}

func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", v.Rule, v.Text)
	for _, e := range v.Events {
		fmt.Fprintf(&b, "\n\t%s", e)
	}
	return b.String()
}

// Rule is one promise. Its zero value promises nothing.
type Rule struct {
	Name  string
	check func(x *index, report reporter)
}

type reporter func(text string, events ...Event)

// Default are the rules that a cache of this module keeps at all times.
func Default() []Rule {
	return []Rule{Genuine, Invalidated, OwnInvalidation, OneLoadPerMember, OneLoadWhenSteady}
}

// Check returns the violations of the rules (none given: those of Default), by rule and then by time, at most 100 of
// each rule. It takes about two seconds for a million events and does not change h.
func Check(h History, rules ...Rule) []Violation {
	if len(rules) == 0 {
		rules = Default()
	}
	x := newIndex(h)
	var all []Violation
	for _, r := range rules {
		if r.check == nil {
			continue
		}
		n := 0
		r.check(x, func(text string, events ...Event) {
			if n++; n > maxPerRule {
				return
			}
			slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.start(), b.start()) })
			all = append(all, Violation{r.Name, text, events})
		})
	}
	return all
}

// index is a history in the orders that rules need.
type index struct {
	History
	loads   map[uint64]*Load
	gets    []*Get                  // by Start
	ended   []*Invalidation         // by End
	begun   []*Load                 // by Began, those of Set left out
	asked   map[*Load]time.Duration // since when those may have been asked for
	excuses map[string]*excuses
	always  *excuses // of all keys
}

func newIndex(h History) *index {
	x := &index{History: h, loads: make(map[uint64]*Load, len(h.Loads)), asked: map[*Load]time.Duration{},
		excuses: map[string]*excuses{}, always: &excuses{}}
	for i := range h.Loads {
		l := &h.Loads[i]
		x.loads[l.Number] = l
		if !l.Set {
			x.begun = append(x.begun, l)
		}
	}
	for i := range h.Gets {
		x.gets = append(x.gets, &h.Gets[i])
	}
	for i := range h.Invalidations {
		x.ended = append(x.ended, &h.Invalidations[i])
	}
	slices.SortFunc(x.begun, func(a, b *Load) int { return cmp.Compare(a.Began, b.Began) })
	slices.SortFunc(x.gets, func(a, b *Get) int { return cmp.Compare(a.Start, b.Start) })
	slices.SortFunc(x.ended, func(a, b *Invalidation) int { return cmp.Compare(a.End, b.End) })
	x.excuse()
	x.ask()
	return x
}

// read is the load whose value the get read, nil if it read none or one that the history does not know.
func (x *index) read(g *Get) *Load {
	if g.Err != nil || g.Load == 0 {
		return nil
	}
	return x.loads[g.Load]
}

// Genuine: a value read was loaded, for the key that was asked for, before the get ended.
var Genuine = Rule{"Genuine", func(x *index, report reporter) {
	for _, g := range x.gets {
		if g.Err != nil || g.Load == 0 {
			continue
		}
		l := x.loads[g.Load]
		switch {
		case l == nil:
			report(fmt.Sprintf("the get read load %d, which there was not", g.Load), *g)
		case l.Key != g.Key:
			report(fmt.Sprintf("the get read a value of %q", l.Key), *g, *l)
		case l.Began > g.End:
			report("the get read a load that had not begun", *g, *l)
		}
	}
}}
