package strictjson

import (
	"errors"
	"strings"
	"testing"
)

func nested(open, inner, closing string, depth int) string {
	return strings.Repeat(open, depth) + inner + strings.Repeat(closing, depth)
}

func TestParseAccepts(t *testing.T) {
	tests := map[string]string{
		"null":                              `null`,
		"true":                              `true`,
		"false":                             `false`,
		"zero":                              `0`,
		"minus zero":                        `-0`,
		"an integer":                        `10`,
		"a negative integer":                `-12`,
		"a fraction":                        `1.5`,
		"zero and a fraction":               `0.0`,
		"a fraction with trailing zeros":    `1.500`,
		"an exponent":                       `1e5`,
		"a capital exponent":                `1E5`,
		"an exponent with plus":             `1e+5`,
		"an exponent with minus":            `1e-5`,
		"an exponent with leading zeros":    `1e007`,
		"zero with an exponent":             `0e0`,
		"all parts of a number":             `-10.25E-03`,
		"an integer beyond 64 bits":         `123456789012345678901234567890`,
		"a number beyond floating point":    `1e999999`,
		"an empty string":                   `""`,
		"a string":                          `"abc"`,
		"every short escape":                `"\" \\ \/ \b \f \n \r \t"`,
		"a unicode escape":                  `"\u00e9"`,
		"a unicode escape in capitals":      `"\u00E9\uABCD"`,
		"an escaped NUL":                    `"\u0000"`,
		"an escaped surrogate pair":         `"\ud83d\ude00"`,
		"a lone high surrogate":             `"\ud800"`,
		"a lone low surrogate":              `"\udc00"`,
		"surrogates in the wrong order":     `"\udc00\ud800"`,
		"a high surrogate, then a letter":   `"\ud800a"`,
		"a high surrogate, then an escape":  `"\ud800\n"`,
		"a high surrogate at the end":       `"x\ud83d"`,
		"DEL":                               "\"\x7f\"",
		"U+0080":                            "\"\u0080\"",
		"U+2028 and U+2029":                 "\"\u2028\u2029\"",
		"a BOM inside a string":             "\"\ufeff\"",
		"U+FFFD":                            "\"\ufffd\"",
		"U+FFFF":                            "\"\uffff\"",
		"the last code point":               "\"\U0010ffff\"",
		"an empty array":                    `[]`,
		"an empty array with spaces":        "[ \t\r\n]",
		"an array":                          `[1,"a",null,true,[],{}]`,
		"an empty object":                   `{}`,
		"an empty object with spaces":       "{ \t\r\n}",
		"an object":                         `{"a":1,"b":[2],"c":{"d":null}}`,
		"an empty key":                      `{"":0}`,
		"an escaped key":                    `{"\u0061\n":0}`,
		"a key twice, if nobody walks it":   `{"a":1,"a":2}`,
		"white space everywhere":            " \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \t\r\n",
		"128 arrays":                        nested("[", "", "]", MaxDepth),
		"128 objects":                       nested(`{"a":`, "0", "}", MaxDepth),
		"128 arrays and objects":            nested(`[{"a":`, "0", "}]", MaxDepth/2),
		"brackets in strings are not depth": `["` + strings.Repeat("[{", 200) + `"]`,
		"many arrays side by side":          "[" + strings.Repeat("[],", 500) + "[]]",
		"an escaped quote at the end":       `"\""`,
		"an escaped backslash at the end":   `"\\"`,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := Parse([]byte(text))
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if want := strings.Trim(text, " \t\r\n"); string(v) != want {
				t.Fatalf("%q: value %q, want %q", text, v, want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := map[string]struct {
		text string
		want error
	}{
		"nothing":                               {``, ErrSyntax},
		"white space only":                      {" \t\r\n", ErrSyntax},
		"two values":                            {`1 2`, ErrSyntax},
		"a value and a comma":                   {`1,`, ErrSyntax},
		"a bare word":                           {`abc`, ErrSyntax},
		"half a word":                           {`tru`, ErrSyntax},
		"a longer word":                         {`nulls`, ErrSyntax},
		"a word in capitals":                    {`True`, ErrSyntax},
		"a BOM in front":                        {"\ufeff{}", ErrSyntax},
		"a NUL in front":                        {"\x00{}", ErrSyntax},
		"a NUL behind":                          {"{}\x00", ErrSyntax},
		"a NUL between":                         {"[1,\x002]", ErrSyntax},
		"a non-breaking space":                  {"\u00a01", ErrSyntax},
		"a form feed as white space":            {"\f1", ErrSyntax},
		"a vertical tab as white space":         {"\v1", ErrSyntax},
		"a line comment":                        {"{} // c", ErrSyntax},
		"a block comment":                       {`{/* c */}`, ErrSyntax},
		"a hash comment":                        {"# c\n{}", ErrSyntax},
		"a leading zero":                        {`01`, ErrSyntax},
		"two zeros":                             {`00`, ErrSyntax},
		"minus and a leading zero":              {`-01`, ErrSyntax},
		"a dot at the end":                      {`1.`, ErrSyntax},
		"a dot at the start":                    {`.5`, ErrSyntax},
		"minus and a dot":                       {`-.5`, ErrSyntax},
		"a dot and an exponent":                 {`1.e5`, ErrSyntax},
		"two dots":                              {`1.2.3`, ErrSyntax},
		"a lone minus":                          {`-`, ErrSyntax},
		"two minuses":                           {`--1`, ErrSyntax},
		"a plus":                                {`+1`, ErrSyntax},
		"an empty exponent":                     {`1e`, ErrSyntax},
		"an exponent of a plus":                 {`1e+`, ErrSyntax},
		"an exponent of a fraction":             {`1e1.5`, ErrSyntax},
		"a hexadecimal number":                  {`0x10`, ErrSyntax},
		"digits in groups":                      {`1_000`, ErrSyntax},
		"an integer suffix":                     {`1n`, ErrSyntax},
		"NaN":                                   {`NaN`, ErrSyntax},
		"Infinity":                              {`Infinity`, ErrSyntax},
		"minus Infinity":                        {`-Infinity`, ErrSyntax},
		"digits that are not ASCII":             {"\u0661", ErrSyntax},
		"an open string":                        {`"abc`, ErrSyntax},
		"a lone quote":                          {`"`, ErrSyntax},
		"a string that ends in a backslash":     {`"abc\`, ErrSyntax},
		"a string whose quote is escaped":       {`"abc\"`, ErrSyntax},
		"single quotes":                         {`'abc'`, ErrSyntax},
		"an unknown escape":                     {`"\x41"`, ErrSyntax},
		"an escaped single quote":               {`"\'"`, ErrSyntax},
		"an escaped letter":                     {`"\a"`, ErrSyntax},
		"a capital U escape":                    {`"\U0041"`, ErrSyntax},
		"an escaped line break":                 {"\"\\\n\"", ErrSyntax},
		"a unicode escape of three digits":      {`"\u123"`, ErrSyntax},
		"a unicode escape with a bad digit":     {`"\u12g4"`, ErrSyntax},
		"a unicode escape with a sign":          {`"\u+123"`, ErrSyntax},
		"a unicode escape that is cut off":      {`"\u12`, ErrSyntax},
		"a NUL in a string":                     {"\"\x00\"", ErrSyntax},
		"a tab in a string":                     {"\"\t\"", ErrSyntax},
		"a line feed in a string":               {"\"\n\"", ErrSyntax},
		"a carriage return in a string":         {"\"\r\"", ErrSyntax},
		"U+001F in a string":                    {"\"\x1f\"", ErrSyntax},
		"an open array":                         {`[`, ErrSyntax},
		"an open array with a value":            {`[1`, ErrSyntax},
		"an open array with a comma":            {`[1,`, ErrSyntax},
		"a trailing comma in an array":          {`[1,]`, ErrSyntax},
		"a leading comma in an array":           {`[,1]`, ErrSyntax},
		"two commas in an array":                {`[1,,2]`, ErrSyntax},
		"a lone comma in an array":              {`[,]`, ErrSyntax},
		"no comma in an array":                  {`[1 2]`, ErrSyntax},
		"a colon in an array":                   {`["a":1]`, ErrSyntax},
		"a bracket too many":                    {`[]]`, ErrSyntax},
		"the wrong bracket":                     {`[}`, ErrSyntax},
		"an open object":                        {`{`, ErrSyntax},
		"an open object with a key":             {`{"a"`, ErrSyntax},
		"an open object with a colon":           {`{"a":`, ErrSyntax},
		"an open object with a value":           {`{"a":1`, ErrSyntax},
		"an open object with a comma":           {`{"a":1,`, ErrSyntax},
		"a trailing comma in an object":         {`{"a":1,}`, ErrSyntax},
		"a leading comma in an object":          {`{,"a":1}`, ErrSyntax},
		"a key without a value":                 {`{"a"}`, ErrSyntax},
		"a key without a value, but a colon":    {`{"a":}`, ErrSyntax},
		"a key without a colon":                 {`{"a" 1}`, ErrSyntax},
		"a key without quotes":                  {`{a:1}`, ErrSyntax},
		"a key that is a number":                {`{1:1}`, ErrSyntax},
		"no comma in an object":                 {`{"a":1 "b":2}`, ErrSyntax},
		"a brace too many":                      {`{}}`, ErrSyntax},
		"the wrong brace":                       {`{]`, ErrSyntax},
		"a bad escape in a key":                 {`{"\q":1}`, ErrSyntax},
		"129 arrays":                            {nested("[", "", "]", MaxDepth+1), ErrDepth},
		"129 objects":                           {nested(`{"a":`, "0", "}", MaxDepth+1), ErrDepth},
		"129 arrays and objects":                {"[" + nested(`[{"a":`, "0", "}]", MaxDepth/2) + "]", ErrDepth},
		"a million open brackets":               {strings.Repeat("[", 1_000_000), ErrDepth},
		"a lone continuation byte in a string":  {"\"\x80\"", ErrUTF8},
		"a byte that is never UTF-8":            {"\"\xff\"", ErrUTF8},
		"an overlong slash":                     {"\"\xc0\xaf\"", ErrUTF8},
		"an overlong NUL":                       {"\"\xc0\x80\"", ErrUTF8},
		"an overlong three-byte form":           {"\"\xe0\x80\xaf\"", ErrUTF8},
		"a raw surrogate":                       {"\"\xed\xa0\x80\"", ErrUTF8},
		"a raw surrogate pair":                  {"\"\xed\xa0\xbd\xed\xb8\x80\"", ErrUTF8},
		"a code point beyond the last":          {"\"\xf4\x90\x80\x80\"", ErrUTF8},
		"a two-byte form cut by the quote":      {"\"\xc3\"", ErrUTF8},
		"a four-byte form cut by the quote":     {"\"\xf0\x9f\x98\"", ErrUTF8},
		"a three-byte form cut by the end":      {"\"\xe2\x82", ErrUTF8},
		"a byte that is not UTF-8 in a key":     {"{\"\xff\":1}", ErrUTF8},
		"bytes that are not UTF-8, deep inside": {"[{\"a\":[\"\xfe\"]}]", ErrUTF8},
		"a byte that is not UTF-8 in front":     {"\xff{}", ErrSyntax},
		"a byte that is not UTF-8 behind":       {"{}\xff", ErrSyntax},
		"a byte that is not UTF-8 between":      {"[1,\xff]", ErrSyntax},
		"UTF-16":                                {"\xff\xfe{\x00}\x00", ErrSyntax},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := Parse([]byte(tt.text))
			if !errors.Is(err, tt.want) || v != nil {
				t.Fatalf("%.60q: value %q, error %v, want %v", tt.text, v, err, tt.want)
			}
		})
	}
}

func TestParseLeavesTheTextAlone(t *testing.T) {
	text := []byte(` {"a":"\u0041"} tail`)
	v, err := Parse(text[:16])
	if err != nil {
		t.Fatal(err)
	}
	if &v[0] != &text[1] {
		t.Error("the value does not share memory with the text")
	}
	_ = append(v, "!!!"...)
	if string(text) != ` {"a":"\u0041"} tail` {
		t.Errorf("appending to the value changed the text: %s", text)
	}
}

func TestErrorsHideTheText(t *testing.T) {
	for _, text := range []string{`{"secret":"hunter2"`, `hunter2`, "\"hunter2\xff\""} {
		if _, err := Parse([]byte(text)); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}
