#!/usr/bin/env bash
# protoprint (of protoreflect): small floating-point defaults are printed as zero.
#
# Surprise: a descriptor printed as .proto source and compiled again is another one. The default 1e-9 of a
# field is printed as 0.000000 and so becomes 0, without an error; others are rounded to six decimals, and nan
# is printed as NaN, which does not compile.
# Who meets it: whoever gets a server's .proto files by reflection and writes them down with this package,
# as the option -proto-out-dir of grpcurl 1.9.4 does.
# Seen since: protoreflect 1.19.0; 2.0.0-beta.2 prints the same.
# Source: the Printer of https://github.com/jhump/protoreflect/blob/v1.19.0/desc/protoprint/print.go
source "$(dirname "$0")/common.bash"

go_program github.com/jhump/protoreflect@v1.19.0 <<'GO'
package main

import (
	"fmt"
	"strings"

	"github.com/jhump/protoreflect/desc/protoparse"
	"github.com/jhump/protoreflect/desc/protoprint"
)

const source = `syntax = "proto2";
message M {
  optional double small = 1 [default = 1e-9];
  optional float precise = 2 [default = 0.1234567];
  optional double nan = 3 [default = nan];
}`

func main() {
	parse := func(text string) (string, map[string]any) {
		parser := protoparse.Parser{Accessor: protoparse.FileContentsFromMap(map[string]string{"a.proto": text})}
		files, err := parser.ParseFiles("a.proto")
		if err != nil {
			fmt.Println("does not compile:", err)
			return "", nil
		}
		defaults := map[string]any{}
		for _, field := range files[0].GetMessageTypes()[0].GetFields() {
			defaults[field.GetName()] = field.GetDefaultValue()
		}
		printed, err := (&protoprint.Printer{}).PrintProtoToString(files[0])
		if err != nil {
			panic(err)
		}
		return printed, defaults
	}
	printed, before := parse(source)
	for _, line := range strings.Split(printed, "\n") {
		if strings.Contains(line, "default") {
			fmt.Println("printed: ", strings.TrimSpace(line))
		}
	}
	parse(printed)
	_, after := parse(strings.ReplaceAll(printed, "NaN", "nan"))
	for _, name := range []string{"small", "precise"} {
		fmt.Printf("default of %s: %v in the file, %v in the one printed\n", name, before[name], after[name])
	}
}
GO
verdict 'the printed file compiles to the same descriptor' \
	'^default of small: 1e-09 in the file, 0 in the one printed$' "$("$work/probe" 2>&1)"
