package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
)

// goMentions finds the statements that comments and string literals of a Go test
// file name. The test is the function around the place or below the comment,
// with the subtest's name where the literal is one.
func goMentions(path string) ([]mention, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("parse test: %w", err)
	}
	literals := stringLiterals(file)
	var found []mention
	add := func(text string, pos token.Pos, test string) {
		for _, number := range numbersIn(text) {
			found = append(found, mention{number: number, line: files.Position(pos).Line, test: test})
		}
	}
	for _, group := range file.Comments {
		test := functionOf(file, group.Pos(), group.End())
		if name := literalBelow(files, literals, group.End()); name != "" && test != "" && inBody(file, group.Pos()) {
			test += "/" + name
		}
		add(group.Text(), group.Pos(), test)
	}
	for _, literal := range literals {
		value, err := strconv.Unquote(literal.Value)
		if err != nil {
			continue
		}
		test := functionOf(file, literal.Pos(), literal.End())
		add(value, literal.Pos(), test+"/"+value)
	}
	return found, nil
}

func stringLiterals(file *ast.File) []*ast.BasicLit {
	var literals []*ast.BasicLit
	ast.Inspect(file, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			literals = append(literals, literal)
		}
		return true
	})
	return literals
}

// functionOf names the function declaration that holds the place, or that the
// comment ending there documents.
func functionOf(file *ast.File, from, to token.Pos) string {
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		begin := f.Pos()
		if f.Doc != nil {
			begin = f.Doc.Pos()
		}
		if begin <= from && to <= f.End() {
			return f.Name.Name
		}
	}
	return ""
}

func inBody(file *ast.File, pos token.Pos) bool {
	return slices.ContainsFunc(file.Decls, func(decl ast.Decl) bool {
		f, ok := decl.(*ast.FuncDecl)
		return ok && f.Body != nil && f.Body.Pos() <= pos && pos < f.Body.End()
	})
}

// literalBelow returns the first string on the line below a comment: the name of
// the table row or subtest that the comment stands above.
func literalBelow(files *token.FileSet, literals []*ast.BasicLit, end token.Pos) string {
	line := files.Position(end).Line
	for _, literal := range literals {
		if literal.Pos() > end && files.Position(literal.Pos()).Line == line+1 {
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				return ""
			}
			return value
		}
	}
	return ""
}
