package words

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
)

func TestRead(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"none", "Hello", "Hello"},
		{"RFC 2047 §8, a", "=?ISO-8859-1?Q?a?=", "a"},
		{"space between a word and text", "=?ISO-8859-1?Q?a?= b", "a b"},
		{"space between words", "=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"},
		{"several spaces", "=?ISO-8859-1?Q?a?=  \t =?ISO-8859-1?Q?b?=", "ab"},
		{"underscore", "=?ISO-8859-1?Q?a_b?=", "a b"},
		{"two charsets", "=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"},
		{"a character in two words", "=?utf-8?Q?=C3?= =?UTF-8?B?qQ==?=", "é"},
		{"a character of gb2312 in two words", "=?gb2312?Q?=D6?= =?gb2312?Q?=D0?=", "中"},
		{"language", "=?utf-8*de?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"},
		{"no padding", "=?utf-8?B?R3LDvMOfZQ?=", "Grüße"},
		{"too much padding", "=?utf-8?B?R3LDvMOfZQ====?=", "Grüße"},
		{"broken base64", "=?utf-8?B?R3LDvMOfZQ!?= x", "Grüße x"},
		{"small letters", "=?utf-8?q?=c3=bc?=", "ü"},
		{"question mark", "=?utf-8?Q?what??= x", "what? x"},
		{"no digits", "=?utf-8?Q?a=zz=4?=", "a=zz=4"},
		{"unknown charset", "a =?x-none?Q?b=20c?= d =?koi8-r?B?0NLJ18XU?=", "a =?x-none?Q?b=20c?= d привет"},
		{"unknown charset between others", "=?utf-8?Q?a?= =?x-none?Q?b?= =?utf-8?Q?c?=", "a =?x-none?Q?b?= c"},
		{"a charset that browsers may not read", "=?iso-2022-kr?Q?a?=", "=?iso-2022-kr?Q?a?="},
		{"unknown charset twice", "=?x-none?Q?a?=  =?x-none?Q?b?=", "=?x-none?Q?a?=  =?x-none?Q?b?="},
		{"unknown encoding", "=?utf-8?X?a?= b", "=?utf-8?X?a?= b"},
		{"no end", "=?utf-8?Q?a", "=?utf-8?Q?a"},
		{"plain UTF-8 beside", "Grüße =?utf-8?Q?=C3=BC?=", "Grüße ü"},
		{"octets of no charset", "=?utf-8?Q?a=FF?=", "a\ufffd"},
		{"empty", "a =?utf-8?Q??= b", "a  b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Read(tt.value); got != tt.want {
				t.Errorf("%q is read %q, want %q", tt.value, got, tt.want)
			}
		})
	}
}

// TestCharsets: names that mail has for charsets, each with a text that only it writes so.
func TestCharsets(t *testing.T) {
	for names, tt := range map[string]struct {
		as   encoding.Encoding
		text string
	}{
		"utf-8 UTF8":              {unicode.UTF8, "日本語"},
		"us-ascii":                {charmap.ISO8859_1, "plain"},
		"iso-8859-1 latin1":       {charmap.ISO8859_1, "Grüße"},
		"iso-8859-2":              {charmap.ISO8859_2, "Łódź"},
		"iso-8859-5":              {charmap.ISO8859_5, "привет"},
		"iso-8859-6":              {charmap.ISO8859_6, "سلام"},
		"iso-8859-7":              {charmap.ISO8859_7, "γειά"},
		"iso-8859-8 iso-8859-8-i": {charmap.ISO8859_8, "שלום"},
		"iso-8859-9":              {charmap.ISO8859_9, "ığşİ"},
		"iso-8859-15":             {charmap.ISO8859_15, "€"},
		"koi8-r":                  {charmap.KOI8R, "привет"},
		"koi8-u":                  {charmap.KOI8U, "привіт"},
		"windows-1250 cp1250":     {charmap.Windows1250, "Łódź"},
		"windows-1251 cp1251":     {charmap.Windows1251, "привет"},
		"windows-1252 cp1252":     {charmap.Windows1252, "“€”"},
		"windows-1253":            {charmap.Windows1253, "γειά"},
		"windows-1254":            {charmap.Windows1254, "ığşİ"},
		"windows-1255":            {charmap.Windows1255, "שלום"},
		"windows-1256":            {charmap.Windows1256, "سلام"},
		"windows-1257":            {charmap.Windows1257, "ąčę"},
		"windows-1258":            {charmap.Windows1258, "đ"},
		"windows-874":             {charmap.Windows874, "สวัสดี"},
		"gb2312 gbk":              {simplifiedchinese.GBK, "你好"},
		"gb18030":                 {simplifiedchinese.GB18030, "你好"},
		"hz-gb-2312":              {simplifiedchinese.HZGB2312, "你好"},
		"big5":                    {traditionalchinese.Big5, "您好"},
		"euc-kr ks_c_5601-1987":   {korean.EUCKR, "안녕"},
		"iso-2022-jp":             {japanese.ISO2022JP, "こんにちは"},
		"shift_jis":               {japanese.ShiftJIS, "こんにちは"},
		"euc-jp":                  {japanese.EUCJP, "こんにちは"},
		"utf-16be":                {unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "日本語"},
	} {
		octets, err := tt.as.NewEncoder().String(tt.text)
		if err != nil {
			t.Fatal(names, err)
		}
		for name := range strings.FieldsSeq(names) {
			for _, word := range []string{
				"=?" + name + "?B?" + base64.StdEncoding.EncodeToString([]byte(octets)) + "?=",
				"=?" + strings.ToUpper(name) + "?q?" + quote(octets) + "?=",
			} {
				if got := Read("a " + word + " z"); got != "a "+tt.text+" z" {
					t.Errorf("%q is read %q, want %q", word, got, tt.text)
				}
			}
		}
	}
}

// quote writes every octet as two digits.
func quote(octets string) string {
	var b strings.Builder
	for i := range len(octets) {
		fmt.Fprintf(&b, "=%02X", octets[i])
	}
	return b.String()
}

func TestFold(t *testing.T) {
	for _, same := range [][]string{
		{"Grüße", "GRU\u0308SSE", "grüsse"}, {"привет", "ПРИВЕТ"}, {"é", "e\u0301", "É", "E\u0301"}, {"Σ", "σ", "ς"},
	} {
		for _, text := range same {
			if Fold(text) != Fold(same[0]) {
				t.Errorf("%q and %q differ", text, same[0])
			}
		}
	}
	if Fold("a") == Fold("á") {
		t.Error("accents are lost")
	}
}

func FuzzRead(f *testing.F) {
	f.Add("a =?utf-8*de?B?R3LDvMOfZQ?= =?x?Q?b?= c")
	f.Fuzz(func(t *testing.T, value string) {
		if got := Read(value); utf8.ValidString(value) && !utf8.ValidString(got) {
			t.Errorf("%q is read %q", value, got)
		}
	})
}
