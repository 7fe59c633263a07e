package interop

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
)

// java returns a program of java/: a class with a main.
func java(class string) func(c *cell) program {
	return func(c *cell) program {
		c.Helper()
		interpreter := c.need("java", "default-jdk-headless")
		compiler := c.need("javac", "default-jdk-headless")
		libraries := c.cache("java")
		jars, err := filepath.Glob(filepath.Join(libraries, "grpc-netty-shaded-*.jar"))
		if err != nil || len(jars) != 1 {
			c.missing("the packages of java/pom.xml are not installed: run install.sh")
		}
		classes := compileJava(c, compiler, libraries)
		c.version = regexp.MustCompile(`[0-9.]+[0-9]`).FindString(filepath.Base(jars[0])) + ", " + c.firstLine(interpreter, "--version")
		return func(ctx context.Context, path string, args ...string) *exec.Cmd {
			return exec.CommandContext(ctx, interpreter, append([]string{"-XX:+UseSerialGC",
				"-Djava.util.logging.config.file=java/logging.properties",
				"-cp", classes + ":" + libraries + "/*", class, path}, args...)...)
		}
	}
}

var javaBuild sync.Mutex

// compileJava returns a folder of the cache with the classes of java/ and those that protoc generates. It is
// named after what they were made of.
func compileJava(c *cell, compiler, libraries string) string {
	c.Helper()
	javaBuild.Lock()
	defer javaBuild.Unlock()
	descriptors := c.descriptors()
	sources, err := filepath.Glob("java/*.java")
	if err != nil {
		c.Fatalf("%v", err)
	}
	hash := sha256.New()
	for _, input := range append(sources, "java/pom.xml", descriptors) {
		b, err := os.ReadFile(input)
		if err != nil {
			c.Fatalf("%v", err)
		}
		fmt.Fprintf(hash, "%d\n%s", len(b), b)
	}
	classes := filepath.Join(c.cache("java-classes"), fmt.Sprintf("%x", hash.Sum(nil)[:8]))
	if _, err := os.Stat(classes); err == nil {
		return classes
	} else if !errors.Is(err, fs.ErrNotExist) {
		c.Fatalf("%v", err)
	}
	generated := dir(c)
	protoc, err := filepath.Glob(filepath.Join(libraries, "protoc-*.exe"))
	if err != nil || len(protoc) != 1 {
		c.Fatalf("there is not one protoc in %s: %v", libraries, protoc)
	}
	c.output(exec.CommandContext(soon(c), protoc[0], "--descriptor_set_in="+descriptors, "--java_out="+generated,
		"grpc/testing/empty.proto", "grpc/testing/messages.proto", "grpc/testing/test.proto"))
	made := filepath.Join(generated, "classes")
	more, err := filepath.Glob(filepath.Join(generated, "io/grpc/testing/integration/*.java"))
	if err != nil {
		c.Fatalf("%v", err)
	}
	args := append([]string{"-nowarn", "-encoding", "UTF-8", "-d", made, "-cp", libraries + "/*"}, append(sources, more...)...)
	if out, err := exec.CommandContext(c.Context(), compiler, args...).CombinedOutput(); err != nil {
		c.Fatalf("%v: %s", err, out)
	}
	// Under another name first: whoever finds it finds all of it.
	if err := os.CopyFS(classes+".new", os.DirFS(made)); err != nil {
		c.Fatalf("%v", err)
	}
	if err := os.Rename(classes+".new", classes); err != nil {
		c.Fatalf("%v", err)
	}
	return classes
}
