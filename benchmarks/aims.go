package main

// aim is what one cell of the results should be.
type aim struct {
	what        string
	title       string // of the table
	row, column string // row "": the worst of all rows, or of those that have the cell
	least, best float64
	lower       bool // less is better
	format      string
}

// aims are what this project set out for, on a machine with two processors.
var aims = []aim{
	{"Remote get, 64 callers, against groupcache", remoteTitle, nameMesh, "64 callers" + groupcacheRatio, 4.5, 6, false, "%.1f"},
	{"256 callers", remoteTitle, nameMesh, "256 callers" + groupcacheRatio, 6.5, 8.5, false, "%.1f"},
	{"CPU time of it, 64 callers", cpuTitle, nameMesh, "64 callers" + groupcacheRatio, 1 / 6.5, 1 / 8.0, true, "%.3f"},
	{"CPU time, 256 callers", cpuTitle, nameMesh, "256 callers" + groupcacheRatio, 1 / 9.0, 1 / 11.0, true, "%.3f"},
	{"Remote get, 64 callers, against a nats.go Request", remoteTitle, nameMesh, "64 callers" + requestRatio, 2, 2.6, false, "%.1f"},
	{"256 callers", remoteTitle, nameMesh, "256 callers" + requestRatio, 2.7, 3.5, false, "%.1f"},
	{"Server in the owner, 64 callers, against groupcache", remoteTitle, nameEmbedded, "64 callers" + groupcacheRatio, 6.5, 8, false, "%.1f"},
	{"256 callers", remoteTitle, nameEmbedded, "256 callers" + groupcacheRatio, 10, 13, false, "%.1f"},
	{"One caller alone, p50 against a nats.go Request", loneTitle, nameMesh, "p50 against a Request", 1, 0.85, true, "%.2f"},
	{"Allocations of a remote get at the caller besides the value", remoteTitle, nameMesh, besidesValue, 1, 0.3, true, "%.1f"},
	{"16 KiB, 64 callers, against groupcache", sizeTitle, nameMesh, "16 KiB" + groupcacheRatio, 1.5, 2.5, false, "%.1f"},
	{"256 KiB, 64 callers, against groupcache", sizeTitle, nameMesh, "256 KiB" + groupcacheRatio, 0.5, 1, false, "%.1f"},
	{"Local hit, 1 goroutine, time against ristretto", localTitle, nameMesh, "1: against ristretto", 1.25, 1.1, true, "%.2f"},
	{"2 goroutines", localTitle, nameMesh, "2: against ristretto", 1.25, 1.1, true, "%.2f"},
	{"Local hit, 2 goroutines, time against groupcache", localTitle, nameMesh, "2: against groupcache", 1 / 2.0, 1 / 2.4, true, "%.2f"},
	{"Local hit, allocations", localTitle, nameMesh, "allocations", 0.01, 0.01, true, "%.0f"},
	{"Herd of 10,000, loads", herdTitle, nameMesh, "loads, the most", 1, 1, true, "%.0f"},
	{"Herd of 10,000, ms", herdTitle, nameMesh, "time", 65, 58, true, "%.0f"},
	{"Four members, Zipf 1.1, against groupcache", zipfTitle, nameMesh, "gets/s" + groupcacheRatio, 3, 4, false, "%.1f"},
	{"Both without hot copies", zipfTitle, meshAlone.name, withoutRatio, 2.4, 3, false, "%.1f"},
	{"Loads of it against groupcache", zipfTitle, nameMesh, loadsRatio, 0.85, 0.8, true, "%.2f"},
	{"Both without hot copies", zipfTitle, meshAlone.name, loadsRatio, 0.85, 0.8, true, "%.2f"},
	{"Busiest member against the mean, Zipf 1.2", busiestTitle, nameMesh, busiestRatio, 1.15, 1.05, true, "%.2f"},
	{"Hit ratio, points ahead of otter, the worst pattern", ratioTitle, "", "points ahead", -2, 0, false, "%+.1f"},
	{"Live heap over payload, 1 KiB", heapTitle, nameMesh, "over payload", 1.25, 1.15, true, "%.2f"},
	{"Resident memory over the budget, under churn, in a process with meshnode's memory limit", residentTitle, limitedName, "over the budget", 1.5, 1.3, true, "%.2f"},
	{"Name a key's owner, 3 members, ns", ownerTitle, nameMesh, "3 members", 30, 15, true, "%.0f"},
	{"64 members, ns", ownerTitle, nameMesh, "64 members", 200, 25, true, "%.0f"},
	{"1,024 members, ns", ownerTitle, nameMesh, "1024 members", 2500, 25, true, "%.0f"},
	{"Join to first answer, ms, the worst mesh", startTitle, "", "p50", 1000, 50, true, "%.0f"},
}

// find is the cell that an aim is about, the worst if it is about several.
func (a aim) find(tables []table) (worst cell, found bool) {
	for _, t := range tables {
		if t.Title != a.title {
			continue
		}
		for _, r := range t.Rows {
			if a.row != "" && a.row != r.Name {
				continue
			}
			c, ok := t.find(r.Name, a.column)
			if ok && (!found || a.worse(c.Value, worst.Value)) {
				worst, found = c, true
			}
		}
	}
	return worst, found
}

func (a aim) worse(x, y float64) bool { return (x > y) == a.lower && x != y }

// verdict says which of the two bounds a value keeps.
func (a aim) verdict(v float64) string {
	switch {
	case !a.worse(v, a.best):
		return "aim"
	case !a.worse(v, a.least):
		return "at least"
	}
	return "**missed**"
}

// aimsTable holds what was measured against what was aimed for.
func aimsTable(tables []table) table {
	t := table{
		Title: "Aims",
		Text: "What was set out for, on a machine with two processors, before the first line was written: the least that would do, and the aim. " +
			"The tables below say how each was measured.",
		Columns: []string{"at least", "aim", "measured", "reached"},
	}
	for _, a := range aims {
		c, ok := a.find(tables)
		if !ok {
			continue
		}
		t.Rows = append(t.Rows, row{Name: a.what, Cells: []cell{number(a.least, a.format), number(a.best, a.format), c, words(a.verdict(c.Value))}})
	}
	return t
}
