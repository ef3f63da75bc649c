require ["replace", "foreverypart", "mime"];
foreverypart {
	if header :mime "content-transfer-encoding" "base64" {
		replace :mime text:
Content-Type: text/plain

one
--out
two
.
;
	}
}
