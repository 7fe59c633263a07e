package main // it reads doc.md
