package sieve

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// webmail is a script of twenty rules as webmails write them, of which the last is true.
func webmail() string {
	var b strings.Builder
	b.WriteString("require [\"fileinto\",\"imap4flags\",\"envelope\",\"copy\"];\r\n")
	for i := range 20 {
		fmt.Fprintf(&b, "# rule:[rule %d]\r\nif anyof (header :contains \"subject\" \"[list-%d]\", "+
			"address :is \"from\" \"someone%d@example.net\", header :matches \"list-id\" \"*<list%d.example.net>*\")\r\n"+
			"{\r\n\tfileinto \"INBOX.Lists.list%d\";\r\n\taddflag \"\\\\Seen\";\r\n\tstop;\r\n}\r\n", i, i, i, i, i)
	}
	return b.String()
}

const benchMail = "Return-Path: <list-bounces@example.net>\r\nReceived: from a.example (a.example [192.0.2.1])\r\n" +
	"\tby mx.example.org with ESMTPS; Mon, 23 Nov 2026 10:00:00 +0100\r\nFrom: Somebody Else <somebody@example.com>\r\n" +
	"To: list@example.net\r\nCc: alice@example.org\r\nSubject: =?utf-8?q?Re=3A_What_is_new?= in the list\r\n" +
	"Message-ID: <1234@example.com>\r\nIn-Reply-To: <1233@example.net>\r\n" +
	"References: <1@example.net> <2@example.net>\r\n" +
	"List-Id: The list <list19.example.net>\r\nList-Unsubscribe: <mailto:list-leave@example.net>\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" +
	"Date: Mon, 23 Nov 2026 09:59:00 +0100\r\n\r\nHello\r\n"

// BenchmarkHeader is the floor of BenchmarkRun: the header is read, and what the rules look at in it, once.
func BenchmarkHeader(b *testing.B) {
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		m, err := message.Read(strings.NewReader(benchMail), int64(len(benchMail)))
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range m.Header {
			switch f.Key() {
			case "subject", "list-id":
				f.Folded()
			case "from":
				f.Addresses()
			}
		}
	}
	reportProcessor(b, before)
}

// reportProcessor reports what an operation took of the processors, also on a machine that does other things.
func reportProcessor(b *testing.B, before time.Duration) {
	b.ReportMetric(float64(processorTime(b)-before)/float64(time.Microsecond)/float64(b.N), "cpu-µs/op")
}

// BenchmarkRun is a run of twenty rules, with the reading of the header.
func BenchmarkRun(b *testing.B) {
	p := compile(b, webmail(), all)
	in := input(b, benchMail)
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		m, err := message.Read(strings.NewReader(benchMail), int64(len(benchMail)))
		if err != nil {
			b.Fatal(err)
		}
		in.Message = m
		if r := p.Run(b.Context(), in); len(r.Actions) != 1 || r.Err != nil {
			b.Fatal(outcome(r))
		}
	}
	reportProcessor(b, before)
}

// BenchmarkCompile is the same script, from its text.
func BenchmarkCompile(b *testing.B) {
	source := &syntax.Source{Name: "s", Text: webmail()}
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		if p, problems := Compile(source, all); p == nil {
			b.Fatal(problems)
		}
	}
	reportProcessor(b, before)
}
