package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// bar is one line of a chart.
type bar struct {
	name  string
	value float64 // 0: not measured
	ours  bool    // drawn in the project's colour
	limit bool    // drawn faintly: no rival, a bound
}

// panel is bars on one scale.
type panel struct {
	title string
	bars  []bar
}

// The colours are in the middle, so that they stand out from a light page and
// from a dark one; the ground is left transparent.
const (
	ink   = "#768390"
	ours  = "#2f81f7"
	other = "#8b949e"
)

// chart draws panels one below the other as SVG. Each bar's number is written
// beside it.
func chart(w io.Writer, title string, panels []panel) error {
	const (
		width, left, right = 760, 250, 70
		line, thick        = 26, 16
	)
	var b strings.Builder
	y := 30
	text := func(x, y int, more, s string) {
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s"%s>`, x, y, ink, more)
		_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
		b.WriteString("</text>\n")
	}
	text(12, y, ` font-size="15" font-weight="600"`, title)
	for _, p := range panels {
		y += 34
		text(12, y, ` font-weight="600"`, p.title)
		y += 10
		most := 0.0
		for _, r := range p.bars {
			most = max(most, r.value)
		}
		for _, r := range p.bars {
			if r.value <= 0 {
				continue
			}
			long := r.value / most * (width - left - right)
			colour, opacity := other, "0.75"
			if r.ours {
				colour, opacity = ours, "1"
			}
			if r.limit {
				opacity = "0.35"
			}
			text(left-10, y+thick-3, ` text-anchor="end"`, r.name)
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" fill="%s" fill-opacity="%s"/>`+"\n", left, y, long, thick, colour, opacity)
			text(left+int(long)+8, y+thick-3, "", fmt.Sprintf("%.1fx", r.value))
			y += line
		}
	}
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, -apple-system, 'Segoe UI', sans-serif" font-size="13" role="img">
<title>%s</title>
%s</svg>
`, width, y+8, width, y+8, escaped(title), b.String())
	return err
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

const chartTitle = "cachemesh against groupcache: how many times as many gets a second"

// panelsOf are the ratios to groupcache of remote gets by several callers, and
// of whole meshes; nil where the first were not measured.
func panelsOf(tables []table) (out []panel) {
	for _, t := range tables {
		if t.Title == remoteTitle || t.Title == zipfTitle && out != nil {
			out = append(out, t.panels()...)
		}
	}
	return out
}

// panels are the ratios to groupcache in a table, a panel for each column of them.
func (t table) panels() (out []panel) {
	for i, column := range t.Columns {
		name, of := strings.CutSuffix(column, groupcacheRatio)
		if !of {
			continue
		}
		p := panel{title: "Remote gets of 1 KiB, " + name}
		if t.Title == zipfTitle {
			p.title = "Four members, 256 callers, Zipf 1.1"
		}
		for _, r := range t.Rows {
			p.bars = append(p.bars, bar{
				name: r.Name, value: r.Cells[i].Value,
				ours:  strings.HasPrefix(r.Name, nameMesh),
				limit: r.Name == nameTCP || r.Name == nameRelay,
			})
		}
		out = append(out, p)
	}
	return out
}
