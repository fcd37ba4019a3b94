"""What ``placar init`` writes: the deployment files of a folder, sized for a platform's plan."""
