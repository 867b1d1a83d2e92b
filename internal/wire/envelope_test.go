package wire

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// decoders are all ways to decode a message.
var decoders = map[string]func([]byte) (any, error){
	"Decode":    Decode,
	"DecodeAsk": func(b []byte) (any, error) { a, err := DecodeAsk(b); return nilOr(a), err },
	"DecodeAnswer": func(b []byte) (any, error) {
		a, values, err := DecodeAnswer(b)
		if a == nil && values != nil {
			return values, err
		}
		return nilOr(a), err
	},
}

func nilOr[T any](p *T) any {
	if p == nil {
		return nil
	}
	return p
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

var strangers = map[string]string{
	"no responders":                  "",
	"a JetStream ack":                `{"stream":"EVENTS","seq":1}`,
	"a JetStream ack of a domain":    `{"stream":"EVENTS","domain":"hub","seq":18446744073709551615}`,
	"a JetStream error":              `{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"E","seq":0}`,
	"an ack of a consumer":           "+ACK",
	"an ok":                          "+OK",
	"an error":                       "-ERR 'Permissions Violation'",
	"text":                           "hello",
	"a zero byte":                    "\x00",
	"CBOR null":                      "\xf6",
	"an empty CBOR map":              "\xa0",
	"an empty CBOR list":             "\x80",
	"the body of a gone":             "\xa1\x01\x01",
	"a list of another name":         "\x83\x62cn\x01\x06\xa1\x01\x01",
	"a list of four":                 "\x84\x62cm\x01\x06\xa1\x01\x01",
	"a name of bytes":                "\x83\x42cm\x01\x06\xa1\x01\x01",
	"self-described CBOR":            "\xd9\xd9\xf7\x83\x62cm\x01\x06\xa1\x01\x01",
	"half an envelope":               "\x83\x62cm",
	"an envelope less one byte":      "\x83\x62cm\x01",
	"a version that is text":         "\x83\x62cm\x61\x06\xa1\x01\x01",
	"a type that is text":            "\x83\x62cm\x01\x66\xa1\x01\x01",
	"a version in more than a byte":  "\x83\x62cm\x18\x01\x06\xa1\x01\x01",
	"our message after a line break": "\n\x83\x62cm\x01\x06\xa1\x01\x01",
}

func TestStrangersAreNotOurs(t *testing.T) {
	for name, data := range strangers {
		for how, decode := range decoders {
			if got, err := decode([]byte(data)); !errors.Is(err, ErrNotOurs) || got != nil {
				t.Errorf("%s: %s gives %+v, %v", name, how, got, err)
			}
		}
	}
}

func TestAnotherVersionIsRefusedAndNamed(t *testing.T) {
	for how, decode := range decoders {
		got, err := decode([]byte("\x83\x62cm\x02\x06what will be"))
		if !errors.Is(err, ErrVersion) || got != nil {
			t.Fatalf("%s gives %+v, %v", how, got, err)
		}
		for _, say := range []string{"speaks version 2", "this member speaks version 1"} {
			if !strings.Contains(err.Error(), say) {
				t.Errorf("%s: %q does not say %q", how, err, say)
			}
		}
	}
}

func TestAMessageOfAnotherTypeIsRefused(t *testing.T) {
	for _, m := range newRandom(1).messages() {
		data := mustAppend(t, m)
		if got, err := DecodeAsk(data); m.kind() != kindAsk && (!errors.Is(err, ErrMalformed) || got != nil) {
			t.Errorf("DecodeAsk of %v gives %+v, %v", m.kind(), got, err)
		}
		if got, _, err := DecodeAnswer(data); m.kind() != kindAnswer && (!errors.Is(err, ErrMalformed) || got != nil) {
			t.Errorf("DecodeAnswer of %v gives %+v, %v", m.kind(), got, err)
		}
	}
	_, err := DecodeAsk(mustAppend(t, &Gone{Inc: 1}))
	if err == nil || !strings.Contains(err.Error(), "gone where ask belongs") {
		t.Errorf("DecodeAsk of gone: %v", err)
	}
	for _, k := range []byte{0, byte(kindAnswer) + 1, maxSmall} {
		data := append(appendHead(nil, kind(k)), "\xa1\x01\x01"...)
		if got, err := Decode(data); !errors.Is(err, ErrMalformed) || got != nil {
			t.Errorf("type %d: Decode gives %+v, %v", k, got, err)
		}
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	for seed := range uint64(5) {
		for _, m := range newRandom(seed).messages() {
			data := mustAppend(t, m)
			for n := range min(len(data), 3000) {
				if got, err := Decode(data[:n]); err == nil || got != nil {
					t.Fatalf("%v cut to %d of %d bytes: %+v, %v", m.kind(), n, len(data), got, err)
				}
			}
		}
	}
}

func TestNothingMayFollowAMessage(t *testing.T) {
	for _, m := range newRandom(3).messages() {
		for _, more := range []string{"\x00", "\xf6", "\x40", "\x41x", "\n"} {
			data := append(mustAppend(t, m), more...)
			if got, err := Decode(data); !errors.Is(err, ErrMalformed) || got != nil {
				t.Errorf("%v and %q: %+v, %v", m.kind(), more, got, err)
			}
		}
	}
	data, err := AppendAnswer(nil, &Answer{Inc: 1, To: 1, Results: []Result{{Number: 1, Status: Value, Length: 1}}}, []byte("v"))
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{"\x00", "v", "\x41v"} {
		if a, values, err := DecodeAnswer(append(data, more...)); !errors.Is(err, ErrMalformed) || a != nil || values != nil {
			t.Errorf("an answer, its values and %q: %+v, %q, %v", more, a, values, err)
		}
	}
}

func TestOnlyTheDeterministicEncodingIsRead(t *testing.T) {
	if got, err := Decode(unhex(t, "8362636d0106 a10107")); err != nil || got.(*Gone).Inc != 7 {
		t.Fatalf("Gone: %+v, %v", got, err)
	}
	for name, body := range map[string]string{
		"null":                            "f6",
		"undefined":                       "f7",
		"an empty map":                    "a0",
		"an empty list":                   "80",
		"a list of the fields":            "8107",
		"a number in two bytes":           "a1011807",
		"a number in nine bytes":          "a1011b0000000000000007",
		"a key in two bytes":              "a1180107",
		"a negative incarnation":          "a10120",
		"a float":                         "a101f94700",
		"a null":                          "a101f6",
		"a text":                          "a1016137",
		"a big number":                    "a101c24107",
		"a tagged number":                 "a101d82007",
		"a tagged message":                "d820a10107",
		"a field twice":                   "a201070108",
		"fields out of order":             "a202000107",
		"a field 0":                       "a200000107",
		"a field named by text":           "a201076161 00",
		"a field -1":                      "a201072000",
		"a map of indefinite length":      "bf0107ff",
		"unknown: a text not UTF-8":       "a201071818 61ff",
		"unknown: an undefined":           "a201071818 f7",
		"unknown: a tag":                  "a201071818 c100",
		"unknown: a break":                "a201071818 ff",
		"unknown: indefinite bytes":       "a201071818 5f4100ff",
		"unknown: an indefinite list":     "a201071818 9f00ff",
		"unknown: a list that is short":   "a201071818 8200",
		"unknown: bytes that are short":   "a201071818 4200",
		"unknown: five deep":              "a201071818 8181818100",
		"unknown: a map of too many":      "a201071818 b841" + strings.Repeat("0000", 65),
		"unknown: a list of 2^64-1":       "a201071818 9bffffffffffffffff",
		"too many fields":                 "b841" + manyFields(65),
		"a map of 2^64-1 fields":          "bbffffffffffffffff0107",
		"unknown: bytes of 2^64-1":        "a201071818 5bffffffffffffffff",
		"a reserved length":               "a1011c07",
		"an incarnation 0":                "a10100",
		"unknown: a simple value":         "a201071818 f0",
		"unknown: a simple value 2 bytes": "a201071818 f8ff",
	} {
		data := append(appendHead(nil, kindGone), unhex(t, body)...)
		if got, err := Decode(data); !errors.Is(err, ErrMalformed) || got != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestFieldsOfLaterVersionsAreSkipped(t *testing.T) {
	for name, value := range map[string]string{
		"a number": "1903e8", "a negative number": "20", "bytes": "420102", "text": "63c3bc78", "true": "f5", "null": "f6",
		"half": "f93c00", "single": "fa00000000", "double": "fb0000000000000000",
		"a list of maps of lists": "82a1018101a0", "a map": "a2010261610a",
	} {
		later := append(unhex(t, "1828"), unhex(t, value)...)
		want := &Gone{Inc: 7}
		data := append(append(appendHead(nil, kindGone), 0xa2, 1, 7), later...)
		if got, err := Decode(data); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := Decode(append(appendHead(nil, kindGone), unhex(t, "b840"+manyFields(64))...)); err != nil || got.(*Gone).Inc != 1 {
		t.Errorf("64 fields: %+v, %v", got, err)
	}
}

// manyFields are n fields of a map: 1 to n, each of them 1.
func manyFields(n int) string {
	var b []byte
	for key := range uint64(n) {
		b = append(appendItemHead(b, majorUint, key+1), 1)
	}
	return hex.EncodeToString(b)
}

func TestUnknownFieldsOfElementsMayHoldAListAndNoMore(t *testing.T) {
	for name, m := range map[string]struct{ before, count, element string }{
		"question":     {"8362636d0108 a4 0101 0202 04814163 0581", "a3", "0101 0204"},
		"result":       {"8362636d0109 a3 0101 0202 0481", "a3", "0101 0206"},
		"invalidation": {"8362636d0102 a2 0101 0281", "a5", "01824161 01 0201 034163 0403"},
		"applied":      {"8362636d0104 a3 0101 0282416101 0381", "a3", "0182416101 0201"},
		"cache":        {"8362636d0101 a4 0101 0401 0501 0e81", "a2", "014163"},
		"peer":         {"8362636d0101 a4 0101 0401 0501 0f81", "a2", "0182416101"},
	} {
		element := m.before + m.count + m.element + "1828"
		if got, err := Decode(unhex(t, element+"820102")); err != nil {
			t.Errorf("%s with a list: %+v, %v", name, got, err)
		}
		if got, err := Decode(unhex(t, element+"818101")); !errors.Is(err, ErrMalformed) || got != nil {
			t.Errorf("%s with a list of a list: %+v, %v", name, got, err)
		}
	}
}
