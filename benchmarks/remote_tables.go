package main

import "fmt"

// What the chart finds the table of remote gets by.
const (
	remoteTitle = "Remote get, 1 KiB"
	rateSuffix  = ", gets/s"
)

type remoteResults = map[string]map[load]*remoteSamples

// against is a contender's rate over another's, round by round.
func against(got remoteResults, name, base string, l load) sample {
	mine, theirs := got[name][l], got[base][l]
	if mine == nil || theirs == nil {
		return nil
	}
	return mine.rate.over(theirs.rate)
}

func remoteTable(all []contender, got remoteResults, loads []load, notes []string) table {
	t := table{
		Title: remoteTitle,
		Text: "A caller process gets random ones of 20,000 values that another process holds. Gets a second, and the ratio to " +
			"groupcache in the same round: the median, with the least and the most of the rounds. groupcache has a transport " +
			"that keeps 2,048 idle connections a host; with Go's default of two it opens a new one for most gets. The second line is a mesh whose owner embeds the nats-server. The last line is no cache: " +
			"frames on one connection, without contexts or failures handled, as the limit of what loopback allows.",
		Notes: notes,
	}
	for _, l := range loads {
		t.Columns = append(t.Columns, callers(l.callers)+rateSuffix, "against groupcache")
	}
	t.Columns = append(t.Columns, fmt.Sprintf("allocations a get at the caller, %d callers", loads[1].callers))
	for _, c := range all {
		r := row{Name: c.name}
		for _, l := range loads {
			r.Cells = append(r.Cells, count(got[c.name][l].rate.median()), against(got, c.name, nameGroupcache, l).ratio())
		}
		r.Cells = append(r.Cells, number(got[c.name][loads[1]].mallocs.median(), "%.1f"))
		t.Rows = append(t.Rows, r)
	}
	return t
}

func loneTable(all []contender, got remoteResults, l load) table {
	t := table{
		Title:   "Remote get, 1 KiB, one caller alone",
		Text:    "How long a get takes when nothing else is asked for.",
		Columns: []string{"p50", "p99", "p50 against groupcache", "p50 against a nats.go Request"},
	}
	for _, c := range all {
		s := got[c.name][l]
		t.Rows = append(t.Rows, row{Name: c.name, Cells: []cell{
			micros(s.p50.median()), micros(s.p99.median()),
			s.p50.over(got[nameGroupcache][l].p50).ratio(), s.p50.over(got[nameNATS][l].p50).ratio(),
		}})
	}
	return t
}

func cpuTable(all []contender, got remoteResults, loads []load) table {
	t := table{
		Title: "Remote get, 1 KiB, CPU time",
		Text: "User and system time of all processes for one get, and of which process it is. Where the server is in the owner " +
			"that column holds both; Redis's is that of the server, which is the holder too.",
	}
	for _, l := range loads {
		t.Columns = append(t.Columns, callers(l.callers), "server", "owner", "caller", "against groupcache")
	}
	for _, c := range all {
		r := row{Name: c.name}
		for _, l := range loads {
			s := got[c.name][l]
			broker, owner := micros(s.broker.median()), micros(s.owner.median())
			if c.broker == nil {
				broker = none
			}
			if c.owner == nil {
				owner = none
			}
			r.Cells = append(r.Cells, micros(s.cpu().median()), broker, owner, micros(s.caller.median()),
				s.cpu().over(got[nameGroupcache][l].cpu()).ratio())
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

func sizeTable(all []contender, got remoteResults, loads []load) table {
	t := table{
		Title: "Remote get, larger values, 64 callers",
		Text:  "Every value crosses the broker, which copies it twice more than a direct connection does.",
	}
	for _, l := range loads {
		t.Columns = append(t.Columns, fmt.Sprintf("%d KiB, gets/s", l.size>>10), "against groupcache", "CPU a get")
	}
	for _, c := range all {
		r := row{Name: c.name}
		for _, l := range loads {
			s := got[c.name][l]
			r.Cells = append(r.Cells, count(s.rate.median()), against(got, c.name, nameGroupcache, l).ratio(), micros(s.cpu().median()))
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

func callers(n int) string {
	if n == 1 {
		return "1 caller"
	}
	return fmt.Sprintf("%d callers", n)
}

// failures tells of gets that were answered with an error.
func failures(all []contender, got remoteResults, loads []load) (notes []string) {
	for _, l := range loads {
		for _, c := range all {
			if s := got[c.name][l]; s != nil && s.failed > 0 {
				notes = append(notes, fmt.Sprintf("**%s: %d of %d gets of %d KiB by %s failed**, the last with: %s",
					c.name, s.failed, s.failed+s.gets, l.size>>10, callers(l.callers), s.why))
			}
		}
	}
	return notes
}
