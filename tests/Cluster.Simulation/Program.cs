return Cluster.Simulation.SimulateCommand.Run(args);
