package main

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

const chartFile = "chart.svg"

// Measures of the chart, in pixels.
const (
	panelWidth  = 470
	panelGap    = 20
	margin      = 20
	headHeight  = 64
	titleHeight = 28
	rowHeight   = 19
	barHeight   = 13
	labelWidth  = 166
	barWidth    = 182 // of the fastest
	columns     = 2
)

// chartStyle follows the reader's light or dark mode. What is ours stands out.
const chartStyle = `
 .page { fill: #ffffff } text { fill: #1f2328; font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif }
 .head { font-size: 17px; font-weight: 600 } .title { font-weight: 600; font-size: 13px } .note { fill: #59636e; font-size: 11px }
 .ours { font-weight: 600 } .axis { stroke: #d1d9e0 }
 .group { fill: #0969a8 } .against { fill: #7d5ba6 } .single { fill: #0b7a75 } .each { fill: #6aa9d2 } .none { fill: #b3d4ea }
 .quota, .owners, .sqlite { fill: #3b86b8 }
 .dovecot { fill: #c4622d } .go-synced { fill: #6e7781 } .go { fill: #b6bcc3 } .floor { fill: #2f8a4c }
 @media (prefers-color-scheme: dark) {
  .page { fill: #0d1117 } text { fill: #e6edf3 } .note { fill: #9198a1 } .axis { stroke: #3d444d }
  .group { fill: #58b2ee } .against { fill: #b693e0 } .single { fill: #3fb8af } .each { fill: #2f7cb3 } .none { fill: #1d4e73 }
  .quota, .owners, .sqlite { fill: #4593c6 }
  .dovecot { fill: #e58a55 } .go-synced { fill: #8b949e } .go { fill: #4a525b } .floor { fill: #52b56f }
 }
`

// chart draws a panel of bars for each case with a rate. Each has a scale of its own: what is
// compared is within a case.
func chart(r *Report) string {
	panels := make([]CaseReport, 0, len(r.Cases))
	for _, c := range r.Cases {
		if c.Idle == 0 && c.fastest() > 0 {
			panels = append(panels, c)
		}
	}
	width := 2*margin + columns*panelWidth + (columns-1)*panelGap
	var drawn strings.Builder
	height := headHeight
	for row := range slices.Chunk(panels, columns) {
		rows := 0
		for i, c := range row {
			panel(&drawn, margin+i*(panelWidth+panelGap), height, c)
			rows = max(rows, len(c.Results))
		}
		height += titleHeight + rows*rowHeight + panelGap
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&b, "<title>Deliveries a second, Doorstep and others</title>\n<style>%s</style>\n", chartStyle)
	fmt.Fprintf(&b, `<rect class="page" width="%d" height="%d"/>`+"\n", width, height)
	text(&b, margin, 30, "head", "Deliveries a second")
	text(&b, margin, 50, "note", fmt.Sprintf("%s, %s, %s, a flush takes %.2f ms. Median of %s; each panel has its own "+
		"scale; × is against Dovecot.",
		r.Machine.CPU, count(r.Machine.Cores, "core"), firstWord(r.Machine.FileSystem), r.Machine.FlushMS,
		count(r.Settings.Rounds, "round")))
	b.WriteString(drawn.String())
	b.WriteString("</svg>\n")
	return b.String()
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// fastest is the highest rate of a case.
func (c CaseReport) fastest() float64 {
	most := 0.0
	for _, r := range c.Results {
		most = max(most, r.Rate)
	}
	return most
}

// panel draws one case.
func panel(b *strings.Builder, x, y int, c CaseReport) {
	title := c.Title
	if c.Bulk {
		title += ", MiB/s"
	}
	text(b, x, y+16, "title", title)
	top, bars := y+titleHeight, x+labelWidth
	fmt.Fprintf(b, `<line class="axis" x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n", bars, top-2, bars,
		top+len(c.Results)*rowHeight)
	for i, r := range c.Results {
		row := top + i*rowHeight
		class := "label"
		if r.Contender == "group" {
			class = "ours"
		}
		text(b, x, row+barHeight-2, class, shortTitle(r.Title))
		if r.Missing != "" {
			text(b, bars+6, row+barHeight-2, "note", "not measured")
			continue
		}
		length := max(r.Rate/c.fastest()*barWidth, 1)
		fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`+"\n", r.Contender, bars, row,
			length, barHeight)
		value := c.speed(r)
		if ratio := c.ratio(r, "dovecot"); ratio > 0 && r.Contender != "dovecot" {
			value += "  (" + times(ratio) + ")"
		}
		text(b, bars+int(length)+6, row+barHeight-2, class, value)
	}
}

// shortTitle is a title that fits beside a bar.
func shortTitle(title string) string {
	return strings.NewReplacer("go-smtp + go-maildir", "go-smtp/-maildir", "the floor: a bare loop",
		"the floor").Replace(title)
}

func text(b *strings.Builder, x, y int, class, s string) {
	fmt.Fprintf(b, `<text class="%s" x="%d" y="%d">%s</text>`+"\n", class, x, y, html.EscapeString(s))
}
