package corpus

import "strings"

// parts are messages of several parts (RFC 2046).
func parts() []Message {
	text := "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGrüße\n.\n"
	html := "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: " +
		"quoted-printable\n\n<p>Gr=C3=BC=C3=9Fe</p>\n"
	file := "Content-Type: application/pdf; name*=utf-8''r%C3%A9sum%C3%A9.pdf\nContent-Transfer-Encoding: " +
		"base64\nContent-Disposition: attachment; filename=\"=?utf-8?Q?r=C3=A9sum=C3=A9.pdf?=\"\n\n" + base64Lines(50_000, 76)
	inner := "Content-Type: message/rfc822\n\n" + letter("forwarded", "inner body\n.\n").Content
	status := "Content-Type: message/delivery-status\n\nReporting-MTA: dns; src.example\n\nFinal-Recipient: rfc822; " +
		"x@dst.example\nAction: failed\nStatus: 5.1.1\n"
	return []Message{
		multipart("attachment", "mixed", text, file),
		multipart("alternative", "alternative", text, html),
		multipart("forwarded message", "mixed", text, inner),
		multipart("delivery report", "report; report-type=delivery-status", text, status, inner),
		multipart("signed", "signed; micalg=pgp-sha256; protocol=\"application/pgp-signature\"", text,
			"Content-Type: application/pgp-signature\n\n-----BEGIN PGP SIGNATURE-----\n\n"+base64Lines(300,
				64)+"-----END PGP SIGNATURE-----\n"),
		multipart("deep", "mixed", nested(20)),
		multipart("a hundred parts", "mixed", strings.Split(strings.TrimSuffix(strings.Repeat(text+"|", 100), "|"), "|")...),
		{"part without an end", strings.TrimSuffix(multipart("part without an end", "mixed", text).Content,
			"--part without an end--\n")},
	}
}

// multipart joins parts with a boundary that is the message's name.
func multipart(name, subtype string, parts ...string) Message {
	var b strings.Builder
	b.WriteString(header(name) + "Content-Type: multipart/" + subtype + ";\n boundary=\"" + name +
		"\"\n\nThis is a message of several parts.\n")
	for _, p := range parts {
		b.WriteString("--" + name + "\n" + p)
	}
	b.WriteString("--" + name + "--\n")
	return Message{Name: name, Content: b.String()}
}

// nested returns parts within parts.
func nested(depth int) string {
	if depth == 0 {
		return "Content-Type: text/plain\n\ninnermost\n"
	}
	b := strings.Repeat("=", depth)
	return "Content-Type: multipart/mixed; boundary=\"" + b + "\"\n\n--" + b + "\n" + nested(depth-1) + "--" + b + "--\n"
}

// giants are large, each in its own way.
func giants() []Message {
	return []Message{
		typed("ten megabytes", "application/zip", "base64", base64Lines(10<<20*3/4, 76)),
		letter("a megabyte of short lines", strings.Repeat("ab\n", 1<<20/3)),
		letter("a hundred thousand empty lines", strings.Repeat("\n", 100_000)),
	}
}
