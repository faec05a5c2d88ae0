// Means of named values over the steps since the last line of the log.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mini::train {

class Means {
 public:
  using Values = std::vector<std::pair<std::string, double>>;

  Means() = default;
  // What text() gave; a text of another form is taken for an empty one.
  explicit Means(const std::string& text);

  void add(const Values& values);
  Values means() const;  // of each name over the steps in which it occurred, as the names came
  // Exact, for checkpoints: a resumed run writes the line that it was in the middle of.
  std::string text() const;

 private:
  struct Sum {
    std::string name;
    double sum = 0, count = 0;
  };
  std::vector<Sum> sums_;
};

}  // namespace mini::train
