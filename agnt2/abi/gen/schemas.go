package main

import (
	"bytes"
	"fmt"
	"log"
	"os"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
)

// A schema describes an argument list to CanonicalABI.sol, which explains it too: the words of the head part, then every
// field. Static structs and fixed arrays stand in line, as in the encoding.
const (
	schemaBool         = 0x20 // below: unsigned integer of so many bytes (an address is 20), zero for any word
	schemaBytes        = 0x40 // between: bytesN, 0x20 + N
	schemaDynamicArray = 0x41 // of a dynamic type: length of the element's description, the element
	schemaTuple        = 0x42 // dynamic: length of what follows, words of the head part, fields
	schemaStaticArray  = 0x43 // of a static type: length of what follows, words of an element, fields
	schemaSigned       = 0x60 // signed integer, 0x60 + bytes
)

// fieldSchema describes one field.
func fieldSchema(t *gethabi.Type) []byte {
	sized := func(kind byte, body []byte) []byte {
		if len(body) > 0xff {
			log.Fatalf("%s: description above 255 bytes", t.String())
		}
		return append([]byte{kind, byte(len(body))}, body...)
	}
	switch t.T {
	case gethabi.UintTy:
		return []byte{byte(t.Size / 8 % 32)}
	case gethabi.IntTy:
		return []byte{schemaSigned + byte(t.Size/8)}
	case gethabi.AddressTy:
		return []byte{20}
	case gethabi.BoolTy:
		return []byte{schemaBool}
	case gethabi.FixedBytesTy:
		if t.Size == 32 {
			return []byte{0}
		}
		return []byte{schemaBool + byte(t.Size)}
	case gethabi.StringTy, gethabi.BytesTy:
		return []byte{schemaBytes}
	case gethabi.TupleTy:
		if dynamic(t) {
			return sized(schemaTuple, tupleSchema(t.TupleElems))
		}
		var out []byte
		for _, e := range t.TupleElems {
			out = append(out, fieldSchema(e)...)
		}
		return out
	case gethabi.ArrayTy:
		if !dynamic(t) {
			return bytes.Repeat(fieldSchema(t.Elem), t.Size)
		}
	case gethabi.SliceTy:
		if dynamic(t.Elem) {
			return sized(schemaDynamicArray, fieldSchema(t.Elem))
		}
		return sized(schemaStaticArray, tupleSchema([]*gethabi.Type{t.Elem}))
	}
	log.Fatalf("%s has no schema", t.String())
	return nil
}

// tupleSchema is the number of words of the head part and the fields.
func tupleSchema(fields []*gethabi.Type) []byte {
	words := 0
	out := []byte{0}
	for _, f := range fields {
		words += head(f) / 32
		out = append(out, fieldSchema(f)...)
	}
	if words > 0xff {
		log.Fatalf("head part of %d words", words)
	}
	out[0] = byte(words)
	return out
}

// writeSchemas writes the Solidity library that knows the schema of every operation, that is, function that is not a view.
func writeSchemas(file, library string, a gethabi.ABI) {
	g := new(soliditySource)
	g.Write([]byte(solidityHeader))
	g.p("\n/// @title %s", library)
	g.p("/// @notice The operations of IAGNT2 and the schema of each one's arguments, for CanonicalABI. Views are no operations.")
	g.p("library %s {", library)
	g.p("/// @notice Looks an operation up.")
	g.p("/// @param  selector     First four bytes of the calldata.")
	g.p("/// @return known        Whether there is such an operation.")
	g.p("/// @return acceptsValue Whether it may come with value.")
	g.p("/// @return schema       Schema of its arguments.")
	g.p("function find(bytes4 selector) internal pure returns (bool known, bool acceptsValue, bytes memory schema) {")
	for _, k := range sorted(a.Methods) {
		m := a.Methods[k]
		if m.IsConstant() {
			continue
		}
		var fields []*gethabi.Type
		for i := range m.Inputs {
			fields = append(fields, &m.Inputs[i].Type)
		}
		g.p("// %s", k)
		line := fmt.Sprintf("if (selector == 0x%x) return (true, %t, hex\"%x\");", m.ID, m.IsPayable(), tupleSchema(fields))
		if len(line)+8 <= 120 {
			g.p("%s", line)
		} else {
			g.p("if (selector == 0x%x) {\nreturn (true, %t, hex\"%x\");\n}", m.ID, m.IsPayable(), tupleSchema(fields))
		}
	}
	g.p("}\n}")
	if err := os.WriteFile(file, g.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}
