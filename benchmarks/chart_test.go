package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// rectangles are the widths of the bars of a chart, which must be well-formed.
func rectangles(t *testing.T, svg string) (widths []string) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(svg))
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return widths
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "rect" {
			for _, a := range e.Attr {
				if a.Name.Local == "width" {
					widths = append(widths, a.Value)
				}
			}
		}
	}
}

func TestBarsAreAsLongAsTheirValues(t *testing.T) {
	var b strings.Builder
	err := chart(&b, "a <title> & more", []panel{{"p", []bar{{name: "a", value: 4}, {name: "b & c", value: 1}, {name: "absent"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rectangles(t, b.String()), " "); got != "440.0 110.0" {
		t.Errorf("widths %s, want 440.0 110.0: a quarter, and no bar for what is not there", got)
	}
	if !strings.Contains(b.String(), "4.0x") {
		t.Error("no number beside the bar")
	}
}

func TestTheChartFindsTheRatiosInTheTable(t *testing.T) {
	all := []contender{{name: nameMesh}, {name: nameGroupcache}, {name: nameTCP}}
	loads := []load{{1, 1024}, {64, 1024}, {256, 1024}}
	got := remoteResults{}
	for i, c := range all {
		got[c.name] = map[load]*remoteSamples{}
		for _, l := range loads {
			got[c.name][l] = &remoteSamples{rate: sample{float64(6 - 2*i)}, mallocs: sample{1}}
		}
	}
	zipf := table{Title: zipfTitle, Columns: []string{"gets/s" + groupcacheRatio}, Rows: []row{{nameMesh, []cell{{Text: "3", Value: 3}}}}}
	panels := panelsOf([]table{{Title: "another"}, remoteTable(all, got, loads[1:], nil), zipf})
	if len(panels) != 3 || panels[0].title != "Remote gets of 1 KiB, 64 callers" || panels[1].title != "Remote gets of 1 KiB, 256 callers" ||
		panels[2].title != "Four members, 256 callers, Zipf 1.1" || panels[2].bars[0].value != 3 {
		t.Fatalf("got %+v", panels)
	}
	bars := panels[0].bars
	if bars[0].value != 1.5 || bars[1].value != 1 || bars[2].value != 0.5 {
		t.Errorf("values %v, %v, %v; want 1.5, 1, 0.5", bars[0].value, bars[1].value, bars[2].value)
	}
	if !bars[0].ours || bars[1].ours || !bars[2].limit {
		t.Errorf("got %+v", bars)
	}
	if panelsOf(nil) != nil || panelsOf([]table{zipf}) != nil {
		t.Error("a chart of nothing")
	}
}

func TestEveryNameFitsBesideItsBar(t *testing.T) {
	for _, name := range []string{nameMesh, nameEmbedded, nameNATS, nameGroupcache, nameRedis, nameRelay, nameTCP} {
		if len(name) > 32 {
			t.Errorf("%q has %d letters, and there is room for 32", name, len(name))
		}
	}
}
