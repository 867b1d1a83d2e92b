package main

import "fmt"

// What the aims and the chart find the tables by.
const (
	remoteTitle = "Remote get, 1 KiB"
	loneTitle   = "Remote get, 1 KiB, one caller alone"
	cpuTitle    = "Remote get, 1 KiB, CPU time"
	sizeTitle   = "Remote get, larger values, 64 callers"

	rateSuffix      = ", gets/s"
	groupcacheRatio = ": against groupcache"
	requestRatio    = ": against a Request"
	besidesValue    = "allocations at the caller besides the value"
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
		Text: "A caller process gets random ones of 20,000 values that another process holds. Gets a second, and the ratios to " +
			"groupcache and to one nats.go Request for each get, in the same round. groupcache has a transport " +
			"that keeps 2,048 idle connections a host; with Go's default of two it opens a new one for most gets. The second line is " +
			"a mesh whose owner runs the nats-server in its own process. The last two lines are no caches: " +
			"frames on one connection, without contexts or failures handled, as the limit of what loopback allows; and the same through " +
			"a process that passes on the bytes unseen, as the limit for anything with a broker.",
		Notes: notes,
	}
	for _, l := range loads {
		name := callers(l.callers)
		t.Columns = append(t.Columns, name+rateSuffix, name+groupcacheRatio, name+requestRatio)
	}
	t.Columns = append(t.Columns, besidesValue)
	for _, c := range all {
		r := row{Name: c.name}
		for _, l := range loads {
			r.Cells = append(r.Cells, got[c.name][l].rate.count(),
				against(got, c.name, nameGroupcache, l).ratio(), against(got, c.name, nameNATS, l).ratio())
		}
		// Each of them makes the value once, and it is not counted.
		var besides sample
		for _, n := range got[c.name][loads[0]].mallocs {
			besides = append(besides, max(n-1, 0))
		}
		r.Cells = append(r.Cells, besides.number("%.1f"))
		t.Rows = append(t.Rows, r)
	}
	return t
}

func loneTable(all []contender, got remoteResults, l load) table {
	t := table{
		Title:   loneTitle,
		Text:    "How long a get takes when nothing else is asked for.",
		Columns: []string{"p50", "p99", "p50 against groupcache", "p50 against a Request"},
	}
	for _, c := range all {
		s := got[c.name][l]
		t.Rows = append(t.Rows, row{Name: c.name, Cells: []cell{
			s.p50.micros(), s.p99.micros(),
			s.p50.over(got[nameGroupcache][l].p50).ratio(), s.p50.over(got[nameNATS][l].p50).ratio(),
		}})
	}
	return t
}

func cpuTable(all []contender, got remoteResults, loads []load) table {
	t := table{
		Title: cpuTitle,
		Text: "User and system time of all processes for one get, and of which process it is. Where the server is in the owner " +
			"the owner's column holds both; Redis's is that of the server, which is the holder too.",
	}
	for _, l := range loads {
		name := callers(l.callers)
		t.Columns = append(t.Columns, name, "server", "owner", "caller", name+groupcacheRatio)
	}
	for _, c := range all {
		r := row{Name: c.name}
		for _, l := range loads {
			s := got[c.name][l]
			broker, owner := s.broker.micros(), s.owner.micros()
			if c.broker == nil {
				broker = none
			}
			if c.owner == nil {
				owner = none
			}
			r.Cells = append(r.Cells, s.cpu().micros(), broker, owner, s.caller.micros(),
				s.cpu().over(got[nameGroupcache][l].cpu()).ratio())
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

func sizeTable(all []contender, got remoteResults, loads []load) table {
	t := table{
		Title: sizeTitle,
		Text:  "Every value crosses the broker, which copies it twice more than a direct connection does.",
	}
	for _, l := range loads {
		name := fmt.Sprintf("%d KiB", l.size>>10)
		t.Columns = append(t.Columns, name+rateSuffix, name+groupcacheRatio, "CPU a get")
	}
	for _, c := range all {
		r := row{Name: c.name}
		for _, l := range loads {
			s := got[c.name][l]
			r.Cells = append(r.Cells, s.rate.count(), against(got, c.name, nameGroupcache, l).ratio(), s.cpu().micros())
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
