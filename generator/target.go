package generator

import (
	"errors"
	"fmt"
	"go/token"
	"go/types"
	"path"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
)

// A target says where the code generated for a file goes.
type target struct {
	file        *protogen.File
	filename    string
	importPath  protogen.GoImportPath
	packageName string

	// base is the name under which the generated code imports the base stubs, empty if it lives
	// in their package.
	base string
}

// newTargets returns the targets of the files of plugin that need generated code, in order.
func newTargets(plugin *protogen.Plugin, suffix string) ([]target, error) {
	holders := make(map[protogen.GoImportPath]*protogen.File)
	for _, file := range plugin.Files {
		holders[file.GoImportPath] = file
	}
	var targets []target
	var problems []error
	for _, file := range plugin.Files {
		if !file.Generate || len(file.Services) == 0 {
			continue
		}
		target, err := newTarget(file, suffix)
		if err == nil && suffix != "" && holders[target.importPath] != nil {
			err = fmt.Errorf("the Go package %s is already that of %s: choose another package_suffix",
				target.importPath, printable(holders[target.importPath].Desc.Path()))
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", printable(file.Desc.Path()), err))
		}
		targets = append(targets, target)
	}
	return targets, errors.Join(problems...)
}

func newTarget(file *protogen.File, suffix string) (target, error) {
	name := string(file.GoPackageName)
	if !token.IsIdentifier(name) || name == "_" {
		return target{}, fmt.Errorf("%q cannot be the name of a Go package: change the go_package option", name)
	}
	if file.GoImportPath == runtimePath {
		return target{}, fmt.Errorf("the Go package %s is the one that generated code imports: change the go_package option",
			file.GoImportPath)
	}
	if suffix == "" {
		return target{
			file:        file,
			filename:    file.GeneratedFilenamePrefix + filenameSuffix,
			importPath:  file.GoImportPath,
			packageName: name,
		}, nil
	}

	subpackage := name + suffix
	importPath := path.Join(string(file.GoImportPath), subpackage)
	if err := checkImportable(file, importPath); err != nil {
		return target{}, fmt.Errorf("%w, so no package of its own can import it: "+
			"change the go_package option, tell the plugin the import path of the stubs with M%s=IMPORT/PATH, or leave out package_suffix",
			err, printable(file.Desc.Path()))
	}
	if subpackage == "main" || strings.HasSuffix(subpackage, "_test") {
		return target{}, fmt.Errorf("package_suffix %q makes a Go package named %s, which Go reserves: choose another suffix",
			suffix, subpackage)
	}
	prefix := file.GeneratedFilenamePrefix
	return target{
		file:        file,
		filename:    path.Join(path.Dir(prefix), subpackage, path.Base(prefix)) + filenameSuffix,
		importPath:  protogen.GoImportPath(importPath),
		packageName: subpackage,
		base:        importName(name),
	}, nil
}

// checkImportable reports why the go command would not import the package of file into the
// package with the import path below it.
func checkImportable(file *protogen.File, importPath string) error {
	base := string(file.GoImportPath)
	if file.GoPackageName == "main" {
		return fmt.Errorf("the Go package %q is named main", base)
	}
	if path.Clean(base) != base || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "/") {
		return fmt.Errorf("the Go import path %q is not a full one", base)
	}
	for _, r := range importPath {
		if notInImportPath(r) {
			return fmt.Errorf("the Go import path %q has the character %q", importPath, r)
		}
	}
	return nil
}

// checkSuffix accepts what can end a package name and a directory name on every platform, which
// is less than Go's identifiers: the go command refuses import paths beyond ASCII.
func checkSuffix(suffix string) error {
	for _, r := range suffix {
		if r > 'z' || !token.IsIdentifier("x"+string(r)) {
			return fmt.Errorf("package_suffix %q has the character %q: use ASCII letters, digits and underscores only, "+
				"as in package_suffix=udsgrpc", suffix, r)
		}
	}
	return nil
}

// checkFilenames reports generated files that would overwrite each other or a base stub.
func checkFilenames(plugin *protogen.Plugin, targets []target) error {
	sources := make(map[string]*protogen.File)
	for _, file := range plugin.Files {
		sources[file.GeneratedFilenamePrefix+".pb.go"] = file
	}
	var problems []error
	for _, target := range targets {
		if other, taken := sources[target.filename]; taken {
			problems = append(problems, fmt.Errorf("%s: the generated file %s is also generated for %s: rename one of the two .proto files",
				printable(target.file.Desc.Path()), printable(target.filename), printable(other.Desc.Path())))
		}
		sources[target.filename] = target.file
	}
	return errors.Join(problems...)
}

// importName returns the name under which to import the package called name. It keeps that name
// unless the generated code uses it for something else. Exported names are never kept, for they
// could equal a generated function.
func importName(name string) string {
	switch name {
	case "path", "srv", "opts", "server", "client", "conn", "err", // parameters and locals
		runtimeName,
		"init": // Go allows no import of this name
		return name + "pb"
	}
	if token.IsExported(name) || types.Universe.Lookup(name) != nil {
		return name + "pb"
	}
	return name
}

// notInImportPath reports whether the go command refuses r in an import path.
func notInImportPath(r rune) bool {
	return !strings.ContainsRune("-._~/+", r) &&
		(r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}
