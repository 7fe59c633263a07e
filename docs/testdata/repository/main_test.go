package main // it reads another one
