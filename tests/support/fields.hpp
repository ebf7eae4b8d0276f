#pragma once

#include <tuple>
#include <type_traits>

/// Calls `visit` for every `search_field` that a search lists.
template <class S, class Visit>
void for_each_field(Visit const& visit) {
  std::apply([&](auto const&... each) { (visit(each), ...); }, S::fields);
}

/// Gives a setting another value than it has.
template <class T>
void change(T& field) {
  if constexpr (std::is_same_v<T, bool>)
    field = !field;
  else if constexpr (std::is_enum_v<T>)
    field = field == T{} ? T{1} : T{};
  else if constexpr (std::is_arithmetic_v<T>)
    field += 1;
  else
    field[0] += 1;
}
