/** Three failures that make a lesson, to be pasted into a shell. */
export const firstSteps = `for run in 1 2 3; do
  echo '{"run_id":"'$run'","agent_id":"example","tool":{"name":"search"},"result":{"ok":false,"error_class":"timeout"}}'
done | experience-bus publish -`;
