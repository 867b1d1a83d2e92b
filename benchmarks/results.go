package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The files of a folder of results. The page and the chart are made from the
// first, which keeps every round.
const (
	resultsFile = "results.json"
	pageFile    = "RESULTS.md"
	chartFile   = "chart.svg"
)

// results is what has been found, group by group, in the order of groups. Groups
// may be of different runs.
type results struct {
	Groups []measurement
}

// measurement is what one run has found of one group.
type measurement struct {
	Name    string
	Quick   bool `json:",omitempty"` // one short round each
	Machine machine
	Took    time.Duration
	Tables  []table
	Failed  string `json:",omitempty"` // why there are no tables
}

// put replaces the measurement of the same name. One that failed replaces none
// that did not.
func (r *results) put(m measurement) {
	at := slices.IndexFunc(r.Groups, func(o measurement) bool { return o.Name == m.Name })
	switch {
	case at < 0:
		r.Groups = append(r.Groups, m)
	case m.Failed == "" || r.Groups[at].Failed != "":
		r.Groups[at] = m
	}
	order := func(m measurement) int {
		return slices.IndexFunc(groups, func(g group) bool { return g.name == m.Name })
	}
	slices.SortStableFunc(r.Groups, func(a, b measurement) int { return order(a) - order(b) })
}

// tables are those of all groups.
func (r results) tables() (all []table) {
	for _, m := range r.Groups {
		all = append(all, m.Tables...)
	}
	return all
}

// load reads the results of a folder; none where there is no file of them.
func loadResults(folder string) (r results, err error) {
	path := filepath.Join(folder, resultsFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// save writes the results to a folder, with the page and the chart of them.
func (r results) save(folder string) error {
	err := toFile(filepath.Join(folder, resultsFile), r.encode)
	if err == nil {
		err = toFile(filepath.Join(folder, pageFile), func(w io.Writer) error { return page(w, r) })
	}
	if panels := panelsOf(r.tables()); err == nil && panels != nil {
		err = toFile(filepath.Join(folder, chartFile), func(w io.Writer) error { return chart(w, chartTitle, panels) })
	}
	return err
}

func (r results) encode(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// toFile writes a file beside its place and then puts it there, so that a run
// that is ended meanwhile leaves the one before.
func toFile(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
