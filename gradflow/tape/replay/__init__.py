"""Run one step op by op, to find where a gradient was lost."""
