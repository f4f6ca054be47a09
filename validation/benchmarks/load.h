// The numbers of a binary file, for the programs of this folder.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

template <class T> std::vector<T> load(const std::string& path) {
  FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) std::exit(2);
  std::fseek(file, 0, SEEK_END);
  std::vector<T> values(std::ftell(file) / sizeof(T));
  std::rewind(file);
  if (std::fread(values.data(), sizeof(T), values.size(), file) != values.size()) std::exit(2);
  std::fclose(file);
  return values;
}
