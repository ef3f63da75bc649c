package corpus

import "strings"

// shapes are the forms a message as a whole can have.
func shapes() []Message {
	return []Message{
		letter("plain", "Hello,\n\nthis is all.\n\nBye\n"),
		{"header without a body", header("header without a body")},
		letter("empty body", ""),
		letter("body of one empty line", "\n"),
		letter("no final line end", "The last line has no end."),
		letter("ends in many empty lines", "text"+strings.Repeat("\n", 1000)),
		letter("begins with empty lines", "\n\n\n\ntext\n"),
		{"one field", "Subject: one field\n\nbody\n"},
		{"only a field", "X: only a field"},
		{"no sender nor date", "Subject: no sender nor date\nX-Other: yes\n\nbody\n"},
		letter("body like a header", "Subject: not this one\nFrom: nobody\n\nbody\n"),
		letter("mbox separators in the body",
			"text\n\nFrom sender@src.example Mon Nov  2 09:10:11 2026\nSubject: x\n\n>From quoted\n>>From twice\n"),
		letter("lines of white space", " \n\t\n  text  \n\t \ntrailing \t\n"),
	}
}

// dots are what transparency is about (RFC 5321 §4.5.2), with forged ends of data.
func dots() []Message {
	return []Message{
		letter("one dot", ".\n"),
		letter("only dots", ".\n..\n...\n....\n.\n.\n"),
		letter("dot without a line end", "text\n."),
		letter("dots before words", ".a\n..b\n...c\n.\td\n. e\n"),
		letter("dots after words", "a.\nb..\n.c.\n"),
		{"dots in the header", header("dots in the header") + "X-Dots: a\n .\n ..b\n\n.\n"},
		letter("forged transaction", "text\n.\nMAIL FROM:<evil@src.example>\nRCPT TO:<alice@dst.example>\nDATA\nSubject: "+
			"forged\n\nforged\n.\nQUIT\n"),
		letter("ten thousand dots", strings.Repeat(".\n", 10_000)),
		letter("dot at every offset", stairs()),
	}
}

// stairs has lines of growing length that end and begin with a dot, so that in whatever blocks
// it is sent and read some border falls before and after one.
func stairs() string {
	var b strings.Builder
	for n := range 600 {
		b.WriteString("." + strings.Repeat("x", n) + ".\n")
	}
	return b.String()
}
