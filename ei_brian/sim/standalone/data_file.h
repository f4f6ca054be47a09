// The file that a compiled program reads: named arrays with kinds, sizes and checksums; written by data_file.py.
#pragma once
#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace ei {

[[noreturn]] inline void fail(int code, const char* text, ...) {
  va_list arguments;
  va_start(arguments, text);
  std::fputs("ei_brian: ", stderr);
  std::vfprintf(stderr, text, arguments);
  std::fputc('\n', stderr);
  va_end(arguments);
  std::fflush(nullptr);
  std::_Exit(code);
}

inline uint64_t checksum(const char* bytes, size_t size) {  // words of 8 bytes, weighted by the number of their block of 512
  uint64_t total = 0;
  for (size_t block = 0, at = 0; at < size; block++) {
    uint64_t sum = 0;
    const size_t stop = std::min(size, at + 4096);
    for (; at + 8 <= stop; at += 8) {
      uint64_t word;
      std::memcpy(&word, bytes + at, 8);
      sum += word;
    }
    if (at < stop) {
      uint64_t word = 0;
      std::memcpy(&word, bytes + at, stop - at);
      sum += word;
      at = stop;
    }
    total += sum * (2 * block + 1);
  }
  return total;
}

constexpr size_t HEADER = 32;  // mark, number of sections, bytes of the file, checksum of the table of sections

struct Section {
  char name[208];
  char kind[8];
  uint64_t offset, bytes, check, used;
};

template <class T> const char* kind_of();
template <> inline const char* kind_of<float>() { return "<f4"; }
template <> inline const char* kind_of<double>() { return "<f8"; }
template <> inline const char* kind_of<int32_t>() { return "<i4"; }
template <> inline const char* kind_of<int64_t>() { return "<i8"; }

struct DataFile {
  const char* base = nullptr;
  std::vector<Section> sections;
  int condition = 0;  // whose values are looked up: a section "2:name" is that of condition 2, one without a number of all

  void open(const char* path) {
    const int file = ::open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (file < 0 || fstat(file, &about) != 0) fail(3, "data file: %s", std::strerror(errno));
    const size_t size = size_t(about.st_size);
    if (size < HEADER) fail(3, "data file: %zu bytes, shorter than its header", size);
    base = static_cast<const char*>(mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0));
    if (base == MAP_FAILED) fail(3, "data file: %s", std::strerror(errno));
    ::close(file);
    uint64_t count, total, check;
    std::memcpy(&count, base + 8, 8);
    std::memcpy(&total, base + 16, 8);
    std::memcpy(&check, base + 24, 8);
    if (std::memcmp(base, "EIDATA02", 8) != 0 || total != size || count > (size - HEADER) / sizeof(Section))
      fail(3, "data file: wrong mark or size");
    if (checksum(base + HEADER, count * sizeof(Section)) != check) fail(3, "data file: its table of sections is damaged");
    sections.resize(count);
    std::memcpy(sections.data(), base + HEADER, count * sizeof(Section));
    for (Section& s : sections) {
      if (s.offset > size || s.bytes > size - s.offset || s.offset % 64) fail(3, "data file: section %.200s leaves the file", s.name);
      if (checksum(base + s.offset, s.bytes) != s.check) fail(3, "data file: section %.200s is damaged", s.name);
    }
  }
  Section* find(const std::string& name) {
    const std::string own = std::to_string(condition) + ":" + name;
    Section* common = nullptr;
    for (Section& s : sections) {
      if (own == s.name) return &s;
      if (name == s.name) common = &s;
    }
    return common;
  }
  template <class T> const T* get(const std::string& name, size_t* count) {
    Section* s = find(name);
    if (!s) fail(3, "data file: no section %s", name.c_str());
    if (std::strcmp(s->kind, kind_of<T>()) != 0) fail(3, "section %s: kind %s, expected %s", name.c_str(), s->kind, kind_of<T>());
    s->used = 1;
    *count = s->bytes / sizeof(T);
    return reinterpret_cast<const T*>(base + s->offset);
  }
  template <class T> const T* get_exactly(const std::string& name, size_t wanted) {
    size_t count;
    const T* values = get<T>(name, &count);
    if (count != wanted) fail(3, "section %s: %zu values, expected %zu", name.c_str(), count, wanted);
    return values;
  }
};

}  // namespace ei
