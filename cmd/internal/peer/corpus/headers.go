package corpus

import (
	"fmt"
	"strings"
)

// headers are header fields of every kind.
func headers() []Message {
	return []Message{
		headed("long field", "X-Long: "+strings.Repeat("x", 998-len("X-Long: "))+"\n"),
		headed("folded field", "X-Folded: begin\n"+strings.Repeat(" folded with a space\n\tand with a tab\n", 100)),
		headed("references", "References:"+lines(200, "\n <%d.reference@src.example>")+"\n"),
		headed("many fields", lines(2000, "X-Field-%d: value\n")),
		headed("repeated fields", "Subject: second\nFrom: other@src.example\nTo: third@dst.example\nX-Same: 1\nX-Same: "+
			"2\nx-same: 3\n"),
		headed("empty fields", "X-Empty:\nX-Space: \nX-Tab:\t\nComments:\n"),
		headed("blind copy field", "Bcc: hidden@dst.example\nCc: seen@dst.example\n"),
		headed("delivered before", "Delivered-To: other@elsewhere.example\nX-Original-To: list@elsewhere.example\n"),
		headed("resent", "Resent-From: second@src.example\nResent-To: third@dst.example\nResent-Date: Tue, 03 Nov 2026 "+
			"10:00:00 +0000\nResent-Message-ID: <r@src.example>\n"),
		{"many hops", lines(30, "Received: from hop%d.example by next.example with ESMTP id X; Mon, 02 Nov 2026 09:00:00 "+
			"+0000\n") + header("many hops") + "\nbody\n"},
		headed("signatures", "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=src.example; "+
			"s=sel;\n\th=from:to:subject; bh="+strings.Repeat("A", 43)+"=;\n\tb="+strings.Repeat("b/+",
			80)+"\nARC-Seal: i=1; a=rsa-sha256; cv=none; d=src.example; s=sel; b=AAAA\nAuthentication-Results: mx.example; "+
			"dkim=pass\n"),
		headed("list fields", "List-Id: A list <list.src.example>\nList-Unsubscribe: <mailto:u@src.example?subject=no>,\n "+
			"<https://src.example/u>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\nPrecedence: list\n"),
		headed("encoded words", "X-Subject: =?utf-8?B?5pel5pys6Kqe?= =?iso-8859-1?Q?Gr=FC=DFe?=\n "+
			"=?utf-8?Q?_und_=F0=9F=93=AC?=\n"),
		headed("odd addresses", "Reply-To: \"quoted \\\"name\\\" <x@y>\" <\"odd local\"@src.example>, group: a@b.example, "+
			"c@d.example;,\n (comment) e@f.example (another (nested) comment)\n"),
		headed("internationalized subject", "X-Subject: Grüße aus 東京 — шлите письма 📬\n"),
		headed("internationalized addresses",
			"Reply-To: 用户 <用户@例え.example>, José <josé@dst.example>, <почта@пример.example>\n"),
		headed("internationalized folding", "X-Folded: 日本語の\n 長い\n\t件名 ここまで\n"),
		headed("latin-1 field", "X-Latin: Gr\xfc\xdfe\n"),
	}
}

// lines repeats a format with a number from 1 to n.
func lines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i+1)
	}
	return b.String()
}
