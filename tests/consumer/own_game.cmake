# Builds programs that know one game, of somebody else's, in SCRATCH, and uses them.
function(run result)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  message("${output}")
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "failed: ${ARGN}")
  endif()
  set(${result} "${output}" PARENT_SCOPE)
endfunction()

function(expect text pattern)
  if(NOT text MATCHES "${pattern}")
    message(FATAL_ERROR "expected ${pattern}, found ${text}")
  endif()
endfunction()

file(REMOVE_RECURSE ${SCRATCH})
set(configure ${CMAKE_COMMAND} -S ${SOURCE} -B ${SCRATCH}/build -G ${GENERATOR} -D CMAKE_BUILD_TYPE=Debug
    -D BATCHMATE_BUILD_TESTS=OFF -D BATCHMATE_BUILD_BENCHMARKS=OFF -D CMAKE_CXX_COMPILER=${COMPILER}
    -D CMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER})
run(_ ${configure} -D BATCHMATE_GAMES=nim=examples/own_game/nim.hpp)
run(_ ${CMAKE_COMMAND} --build ${SCRATCH}/build --target selfplay analyse)

set(programs ${SCRATCH}/build/examples)
run(_ ${programs}/selfplay --evaluator uniform --episodes 20 --out ${SCRATCH}/rows)
file(GLOB games ${SCRATCH}/rows/games-*)
file(READ ${games} games)
expect("${games}" "^# nim:.*\n19 (1-0|0-1) ")
# Who leaves four stones wins.
run(found ${programs}/analyse --evaluator uniform --position "7 stones" --simulations 400)
expect("${found}" "line +3 ")
execute_process(COMMAND ${programs}/selfplay --game connect4 RESULT_VARIABLE status ERROR_VARIABLE refused)
expect("${status} ${refused}" "^2 .*connect4 not in {nim}")

foreach(wrong "chess;is neither TYPE=HEADER nor one of" "nim=none.hpp;there is no file")
  list(GET wrong 0 games)
  list(GET wrong 1 message)
  execute_process(COMMAND ${configure} -D BATCHMATE_GAMES=${games} RESULT_VARIABLE status ERROR_VARIABLE refused
                  OUTPUT_QUIET)
  string(REGEX REPLACE "[ \n]+" " " refused "${refused}")
  expect("${refused}" "${message}")
endforeach()
